"""Fast reading of columns of large text tables with NumPy, one chunk of rows at a time.

Python takes a microsecond or more per field. Here all delimiters of a chunk are located at once,
and only the required columns are parsed.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

CHUNK = 1 << 23  # bytes
WIDEST = 64  # most characters of a number
BLANKS = re.compile(rb"[ \t]+")
EDGES = re.compile(rb"(?m)^ | (?=\r?$)")
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SINGLE_BYTE = "cp1252"  # as Windows writes Latin-1


def encoded(texts: Sequence[str]) -> np.ndarray:
    """Texts as bytes, in UTF-8 and in Windows-1252, since a file may use either."""
    both = [text.encode(how, errors="replace") for text in texts for how in ("utf-8", SINGLE_BYTE)]
    return np.array(sorted(set(both)))


@dataclass
class Fields:
    """The fields of one column of a chunk, as start and end positions in the chunk's bytes."""

    data: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def matrix(self, width: int | None = None) -> np.ndarray:
        """The fields as (rows, width) bytes, padded with zeros; longer texts are truncated."""
        length = self.end - self.start
        widest = max(1, int(length.max(initial=1)))
        width = widest if width is None else min(width, widest)
        places = self.start[:, None] + np.arange(width, dtype=self.start.dtype)
        found = self.data[np.minimum(places, len(self.data) - 1)]
        found[places >= self.end[:, None]] = 0
        return found

    def texts(self, width: int | None = None) -> np.ndarray:
        """The fields as an array of byte strings."""
        found = np.ascontiguousarray(self.matrix(width))
        return found.view(f"S{found.shape[1]}").reshape(-1)

    def rows(self, mask: np.ndarray) -> Fields:
        return Fields(self.data, self.start[mask], self.end[mask])

    def numbers(self, decimal: str = ".") -> tuple[np.ndarray, np.ndarray]:
        """The fields as float64 (NaN if not a number), and which of them are empty."""
        found = np.ascontiguousarray(self.matrix(WIDEST))
        if decimal != ".":
            found[found == ord(decimal)] = ord(".")
        empty = self.end <= self.start
        values, plain = _plain_numbers(found)
        values[empty] = np.nan
        rest = np.flatnonzero(~plain & ~empty)
        if len(rest):
            texts = np.ascontiguousarray(found[rest]).view(f"S{found.shape[1]}").reshape(-1)
            kinds, which = np.unique(texts, return_inverse=True)
            values[rest] = np.array([_number(text) for text in kinds])[which.reshape(-1)]
        return values, empty


@dataclass
class Chunk:
    """Some rows of a table: the required columns, and the line number of each row."""

    columns: dict[str, Fields]
    count: np.ndarray  # number of fields in each row
    line: np.ndarray


@dataclass
class TextTable:
    """A text file that holds a table.

    Args:
        path: The file.
        delimiter: Column separator. A space means any run of spaces and tabs; None: the tab,
            semicolon or comma that occurs most often in the first row.
        columns: Column names, for a file without a header row.
        skip_rows: Number of rows at the beginning to skip.
        comment: Rows that begin with this text are skipped.
        encoding: Encoding of the file; None: by its first bytes, else UTF-8.
    """

    path: str
    delimiter: str | None = None
    columns: Sequence[str] | None = None
    skip_rows: int = 0
    comment: str | None = None
    encoding: str | None = None
    header: list[str] = field(init=False)
    notes: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if not os.path.isfile(self.path):
            raise FileNotFoundError(f"A gaze file must exist. Received: {self.path}")
        with open(self.path, "rb") as file:
            head = file.read(1 << 16)
        self._decoding, self._bom = _encoding(head, self.encoding, self.path)
        self._first_line = self.skip_rows + 1
        if self.columns is not None:
            self.header = list(self.columns)
            self.delimiter = self.delimiter or ","
            return
        row = self._header_row()
        self.delimiter = self.delimiter or max("\t;,", key=row.count)
        if self.delimiter == " ":
            self.header = row.split()
        else:
            try:
                names = next(csv.reader([row], delimiter=self.delimiter))
            except csv.Error as error:  # such as the line ends of old Macs
                raise ValueError(
                    "A gaze file must be a table whose lines end with a line feed; save it again "
                    f"from a text editor or a spreadsheet. Received: {self.path} ({error})"
                ) from error
            self.header = [name.strip() for name in names]

    def text(self, raw: bytes) -> str:
        """A field as text: decoded as UTF-8 or, if that fails, as Windows-1252."""
        try:
            return raw.decode("utf-8").replace('""', '"')
        except UnicodeDecodeError:
            note = f"{os.path.basename(self.path)} is not UTF-8 and was read as {SINGLE_BYTE}"
            if note not in self.notes:
                self.notes.append(note)
            return raw.decode(SINGLE_BYTE, errors="replace").replace('""', '"')

    def chunks(self, wanted: Sequence[int]) -> Iterator[Chunk]:
        """The rows of the table, with the columns of the given numbers."""
        rest, line, first = b"", 1, True
        for block in self._blocks():
            data = rest + block
            cut = _last_row_end(data, self.delimiter)
            rest, data = data[cut:], data[:cut]
            if data:
                yield self._chunk(data, wanted, line, first)
                line, first = line + data.count(b"\n"), False
        if rest.strip():
            yield self._chunk(rest + b"\n", wanted, line, first)

    def _blocks(self) -> Iterator[bytes]:
        """The file in UTF-8 (or a single-byte encoding), without its byte order mark."""
        with open(self.path, "rb") as file:
            file.seek(self._bom)
            if self._decoding in ("utf-8", SINGLE_BYTE):
                while block := file.read(CHUNK):
                    yield block
                return
            decode = codecs.getincrementaldecoder(self._decoding)()
            try:
                while block := file.read(CHUNK):
                    yield decode.decode(block).encode("utf-8")
                yield decode.decode(b"", final=True).encode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"A gaze file must be text in the encoding {self._decoding}. Received: "
                    f"{self.path}, which is not at byte {error.start}"
                ) from error

    def _header_row(self) -> str:
        waiting = b""
        for block in self._blocks():
            waiting += block
            lines = waiting.split(b"\n")
            for number, raw in enumerate(lines[:-1] if len(waiting) >= CHUNK else lines, 1):
                row = self.text(raw.rstrip(b"\r"))
                commented = self.comment is not None and row.startswith(self.comment)
                if number > self.skip_rows and row.strip() and not commented:
                    self._first_line = number + 1
                    return row
        raise ValueError(f"A gaze file must have a header row. Received: {self.path} without one")

    def _chunk(self, raw: bytes, wanted: Sequence[int], line: int, first: bool) -> Chunk:
        if self.delimiter == " ":
            raw = EDGES.sub(b"", BLANKS.sub(b" ", raw))
        data = np.frombuffer(raw, np.uint8)
        newline = data == 10
        breaks = newline | (data == ord(self.delimiter))
        quotes = data == 34
        quoted = bool(quotes.any()) and _quotes_enclose(data, quotes, breaks)
        if quoted:
            inside = np.cumsum(quotes) & 1
            breaks &= inside == 0
        end = np.flatnonzero(breaks)
        last = newline[end]
        start = np.concatenate([[0], end[:-1] + 1])
        row_end = np.flatnonzero(last)
        row = np.concatenate([[0], row_end[:-1] + 1])
        count = row_end - row + 1
        lines = line + np.arange(len(row))
        kept = self._rows_of_data(data, start, end, row, row_end, count)
        if first or line < self._first_line:
            kept &= lines >= self._first_line
        row, count, lines = row[kept], count[kept], lines[kept]
        columns = {}
        for at in dict.fromkeys(wanted):
            place = row + np.minimum(at, count - 1)
            left, right = start[place], end[place]
            right = np.where(at < count, right, left)  # empty if the row is too short
            left, right = _trimmed(data, left, right)
            if quoted:
                left, right = _trimmed(data, *_unquoted(data, left, right))
            columns[at] = Fields(data, left, right)
        return Chunk(columns, count, lines)

    def _rows_of_data(self, data, start, end, row, row_end, count) -> np.ndarray:
        """Mask of the rows that are neither empty nor comments."""
        left, right = start[row], end[row_end]
        bare = right - (data[np.maximum(right - 1, 0)] == 13)
        kept = (count > 1) | (bare > left)
        if self.comment:
            mark = self.comment.encode()
            matches = np.ones(len(row), bool)
            for at, byte in enumerate(mark):
                matches &= data[np.minimum(left + at, len(data) - 1)] == byte
            kept &= ~matches
        return kept


def _encoding(head: bytes, given: str | None, path: str) -> tuple[str, int]:
    """The encoding of a file, and the length of its byte order mark."""
    for mark, name in BOMS:
        if head.startswith(mark):
            return name, len(mark)
    if given is not None:
        try:
            name = codecs.lookup(given).name
        except LookupError:
            raise ValueError(
                f"`encoding` must be one that Python knows. Received: {given!r} for {path}"
            ) from None
        return ("utf-8" if name in ("ascii", "utf-8-sig") else name), 0
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le", 0
    if head[::2].count(0) > len(head) // 4:
        return "utf-16-be", 0
    return "utf-8", 0


def _last_row_end(data: bytes, delimiter: str) -> int:
    """Position after the last line break outside quotes; 0 if there is none yet."""
    cut = data.rfind(b"\n") + 1
    if data.count(b'"', 0, cut) % 2 == 0:
        return cut
    other = b'[^"\r\n' + re.escape(delimiter).encode() + b"]"
    if re.search(other + b'"' + other, data):
        return cut  # an inch sign: these quotes do not enclose a field
    while cut and data.count(b'"', 0, cut) % 2:
        cut = data.rfind(b"\n", 0, data.rfind(b'"', 0, cut)) + 1
    return cut


def _quotes_enclose(data: np.ndarray, quotes: np.ndarray, breaks: np.ndarray) -> bool:
    """Whether the quotes enclose fields, rather than occur within a text (an inch sign)."""
    at = np.flatnonzero(quotes)
    edge = breaks | quotes | (data == 13)
    before = (at == 0) | edge[np.maximum(at - 1, 0)]
    after = edge[np.minimum(at + 1, len(data) - 1)]
    return len(at) % 2 == 0 and bool(np.all(before | after))


def _trimmed(
    data: np.ndarray, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The fields without surrounding spaces and carriage returns."""
    top = len(data) - 1
    for _ in range(WIDEST):
        blank = (left < right) & (data[np.minimum(left, top)] == 32)
        if not blank.any():
            break
        left = left + blank
    for _ in range(WIDEST):
        final = data[np.maximum(right - 1, 0)]
        blank = (left < right) & ((final == 32) | (final == 13))
        if not blank.any():
            break
        right = right - blank
    return left, right


def _unquoted(
    data: np.ndarray, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The fields without enclosing quotes."""
    both = (right - left >= 2) & (data[np.minimum(left, len(data) - 1)] == 34)
    both &= data[np.maximum(right - 1, 0)] == 34
    return left + both, right - both


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _plain_numbers(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parse plain decimal numbers (a sign, digits, a point) in (rows, width) bytes.

    With at most 15 digits, both the digits and the power of ten are exact in float64, so the
    division rounds correctly and the value equals that of `float`.

    Returns:
        The numbers, and a mask of the rows that are plain decimal numbers.
    """
    rows, width = texts.shape
    negative = texts[:, 0] == 45
    digits = np.zeros(rows, np.int64)
    count, decimals = np.zeros(rows, np.int8), np.zeros(rows, np.int8)
    point, plain = np.zeros(rows, bool), np.ones(rows, bool)
    for at in range(width):
        column = texts[:, at]
        value = column - np.uint8(48)
        digit = value < 10
        if at < 18:
            digits = np.where(digit, digits * 10 + value, digits)
        count += digit
        decimals += digit & point
        dot = column == 46
        plain &= digit | (dot & ~point) | (column == 0)
        if at == 0:
            plain |= negative | (column == 43)
        point |= dot
    plain &= (count > 0) & (count <= 15)
    values = digits / 10.0 ** np.minimum(decimals, 15)
    return np.where(negative, -values, values), plain
