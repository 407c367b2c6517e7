"""Reading gaze samples from text tables of any tracker, with columns of one or both eyes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zoo.datasets.gaze.csv_format import EYES, TIME_UNITS, CsvFormat
from zoo.datasets.gaze.raw_gaze import RawGaze
from zoo.datasets.gaze.text_columns import Chunk, Fields, TextTable, encoded
from zoo.files.interface import advised

RATES = (20.0, 2500.0)  # plausible samples per second, to infer a time unit
COMMA = re.compile(rb"-?\d+,\d+")
BRACKET = re.compile(r"\[(s|ms|us|μs|µs|ns)\]\s*$")
SENTINEL = 1e7  # pixels; trackers mark lost samples by values such as 1e8 or -1.8e308


def read_table(path: str, form: CsvFormat, name: str) -> RawGaze:
    """Read the samples of one file.

    Args:
        path: The file.
        form: What its columns mean.
        name: Name of the viewer, used if each file is one viewer.
    """
    table = TextTable(
        path, form.delimiter, form.columns, form.skip_rows, form.comment, form.encoding
    )
    form, note = _present_eyes(form, table.header)
    columns = _Columns(table, form)
    viewers = _Viewers(table, name)
    parts = [_samples(chunk, columns, viewers, form, path) for chunk in table.chunks(columns.all)]
    whole = {
        name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0)
        for name in ("x", "y", "moment", "viewer", "lost")
    }
    raw = RawGaze(
        whole["x"],
        whole["y"],
        whole["moment"],
        whole["viewer"].astype(np.int32),
        tuple(viewers.names),
        resolution=10.0 ** -max((part["digits"] for part in parts), default=0),
        notes=(*table.notes, *note),
    )
    if form.duration is not None:
        held = np.concatenate([part["duration"] for part in parts]) if parts else np.zeros(0)
        raw.duration = held * TIME_UNITS[form.duration_unit or form.time_unit]
    if form.time is not None:
        raw = in_seconds(raw, form, columns.name_of(form.time), path)
    return raw.keep(~whole["lost"].astype(bool))


def in_seconds(raw: RawGaze, form: CsvFormat, column: str, path: str) -> RawGaze:
    """The samples with `moment` in seconds from the start given by the description."""
    unit, note = form.time_unit, ""
    if unit == "auto":
        unit = time_unit(raw.moment, column, path)
        note = f"times are in {unit}"
    scale = TIME_UNITS[unit]
    if form.time_start == "first":
        moment = _from_first(raw)
    else:
        begin = form.time_start if form.start_file is None else _first_time(path, form)
        moment = raw.moment - begin
    return replace(
        raw,
        moment=moment * scale,
        resolution=raw.resolution * scale,
        notes=(*raw.notes, *([note] if note else [])),
    )


def time_unit(moment: np.ndarray, column: str, path: str) -> str:
    """The unit in the column's name, or else the one that gives a plausible sampling rate."""
    bracket = BRACKET.search(column)
    if bracket:
        return bracket[1].replace("μ", "u").replace("µ", "u")
    steps = np.diff(moment[np.isfinite(moment)])
    steps = steps[steps > 0]
    if len(steps):
        step = float(np.median(steps))
        for unit, scale in TIME_UNITS.items():
            if RATES[0] <= 1 / (step * scale) <= RATES[1]:
                return unit
    raise ValueError(
        "`time_unit` must be given if the column's name does not state it and no unit gives "
        f"{RATES[0]:.0f} to {RATES[1]:.0f} samples per second. Received: {path}, column {column!r}"
    )


def file_viewers(paths: Sequence[str], pattern: str | None) -> list[str]:
    """The name of each file's viewer: what the pattern finds, or else the file's own name.

    The file's own name has no suffix; if several files have the same name, it includes as much of
    the path as is needed to distinguish them.
    """
    if pattern is not None:
        return [file_viewer(path, pattern) for path in paths]
    stems = [os.path.splitext(os.path.basename(path))[0] for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    whole = [os.path.splitext(os.path.abspath(path))[0].replace(os.sep, "/") for path in paths]
    base = os.path.commonpath([os.path.dirname(path) for path in whole])
    return [os.path.relpath(path, base).replace(os.sep, "/") for path in whole]


def file_viewer(path: str, pattern: str) -> str:
    """The viewer's name: the first group of the pattern in the file's name or else its path."""
    found = re.search(pattern, os.path.basename(path)) or re.search(pattern, path)
    if found is None:
        raise ValueError(
            f"The file's name must contain the viewer's name, as in {pattern!r}. Received: {path}"
        )
    return found[1]


class _Columns:
    """The positions of the required columns in a table."""

    def __init__(self, table: TextTable, form: CsvFormat):
        self.table, missing = table, []
        self.at: dict[str, int] = {}
        wanted = [*pair(form.x), *pair(form.y), form.frame or form.time, form.viewer]
        wanted += [form.duration, *(pair(form.valid) if form.valid else ())]
        wanted += [name for name, _ in form.keep]
        for name in dict.fromkeys(name for name in wanted if name is not None):
            place = _place(name, table.header)
            if place is None:
                missing.append(name)
            elif table.header.count(table.header[place]) > 1:
                raise ValueError(
                    "The names of the columns that are read must be unique. "
                    f"Received: {table.path} with {table.header[place]!r} more than once"
                )
            else:
                self.at[name] = place
        if missing:
            shown = [name for name in table.header if name][:40]
            advice = advised(
                "Set other names with `CsvFormat`, or a tracker's names with `gaze_format`.",
                "Set other names in gaze.json, or a tracker's names with its `preset`.",
            )
            raise ValueError(
                f"A gaze csv must have the columns {list(dict.fromkeys(filter(None, wanted)))}. "
                f"Received: {table.path} with {shown}; missing: {missing}. {advice}"
            )
        self.all = list(self.at.values())
        self.width = len(table.header)

    def name_of(self, column: str) -> str:
        return self.table.header[self.at[column]]


def _present_eyes(form: CsvFormat, header: list[str]) -> tuple[CsvFormat, tuple[str, ...]]:
    """The description of the one eye that a file has, if it lacks the columns of the other."""
    if isinstance(form.x, str):
        return form, ()
    there = [
        all(_place(axis[eye], header) is not None for axis in (form.x, form.y)) for eye in (0, 1)
    ]
    if form.eye != "mean" or sum(there) != 1:
        return form, ()
    eye = there.index(True)
    valid, values = form.valid, form.valid_values
    if valid is not None and not isinstance(valid, str):
        valid, values = valid[eye], eye_values(form, eye)
    one = replace(form, x=form.x[eye], y=form.y[eye], valid=valid, valid_values=values)
    return one, (f"only the {EYES[1 + eye]} eye is in the file",)


def _place(name: str, header: list[str]) -> int | None:
    for text in name.split("|"):
        for at, held in enumerate(header):
            if held == text or (text.endswith("*") and held.startswith(text[:-1])):
                return at
    return None


def pair(columns: str | Sequence[str]) -> tuple[str, ...]:
    """A column or a pair of columns, as a tuple."""
    return (columns,) if isinstance(columns, str) else tuple(columns)


class _Viewers:
    """Numbers for the viewers, in the order in which their names appear."""

    def __init__(self, table: TextTable, name: str):
        self.table, self.names, self.number = table, [], {}
        self.of_file = name

    def of(self, fields: Fields | None, rows: int) -> np.ndarray:
        if fields is None:
            return np.full(rows, self._number(self.of_file), np.int32)
        texts = fields.texts()
        begins = np.flatnonzero(np.concatenate([[True], texts[1:] != texts[:-1]]))[: len(texts)]
        kinds, which = np.unique(texts[begins], return_inverse=True)
        order = np.argsort(begins[np.unique(which, return_index=True)[1]], kind="stable")
        codes = np.zeros(len(kinds), np.int32)
        for at in order:
            codes[at] = self._number(self.table.text(bytes(kinds[at])))
        return np.repeat(codes[which.reshape(-1)], np.diff(np.append(begins, len(texts))))

    def _number(self, name: str) -> int:
        if name not in self.number:
            self.number[name] = len(self.names)
            self.names.append(name)
        return self.number[name]


def _samples(chunk: Chunk, columns: _Columns, viewers: _Viewers, form: CsvFormat, path: str):
    fields = {name: chunk.columns[at] for name, at in columns.at.items()}
    mask = np.ones(len(chunk.line), bool)
    for name, values in form.keep:
        known = encoded(values)
        mask &= np.isin(fields[name].texts(known.itemsize + 1), known)
    if not mask.all():
        fields = {name: held.rows(mask) for name, held in fields.items()}
    short = np.flatnonzero(chunk.count[mask] <= max(columns.all))
    if len(short):
        raise ValueError(
            f"Every row of a gaze csv must have {columns.width} columns. Received: {path}, "
            f"{len(short)} shorter rows, first line {chunk.line[mask][short[0]]}"
        )
    if columns.table.delimiter != " ":
        _check_wide(chunk, mask, columns, path)
    when, lines = fields[form.frame or form.time], chunk.line[mask]
    moment, _ = _numbers(when, form, path, lines)
    found = {"moment": moment, "digits": _decimals(when, form)}
    x = [_numbers(fields[name], form, path, lines) for name in pair(form.x)]
    y = [_numbers(fields[name], form, path, lines) for name in pair(form.y)]
    valid = [_valid(fields[name], form, eye) for eye, name in enumerate(pair(form.valid or ()))]
    found.update(of_eyes(x, y, valid, form))
    if form.duration is not None:
        found["duration"], _ = _numbers(fields[form.duration], form, path, lines)
    held = None if form.viewer is None else fields[form.viewer]
    found["viewer"] = viewers.of(held, int(mask.sum()))
    return found


def _check_wide(chunk: Chunk, mask: np.ndarray, columns: _Columns, path: str) -> None:
    """Raise an error for rows with values beyond the header's columns, such as decimal commas."""
    wide = np.flatnonzero(chunk.count[mask] > columns.width + 1)  # a delimiter may end a row
    if len(wide):
        raise ValueError(
            f"Every row of a gaze csv must have the {columns.width} columns of its header; decimal "
            f"commas must be quoted, or the columns separated by semicolons. Received: {path}, "
            f"{len(wide)} wider rows, first line {chunk.line[mask][wide[0]]}"
        )


def of_eyes(x: list, y: list, valid: list[np.ndarray], form: CsvFormat) -> dict:
    """Combine the columns of one or two eyes to one gaze: x, y, and which samples are lost.

    Args:
        x: For each eye (numbers, which of them are empty).
        y: The same for the vertical coordinate.
        valid: Which samples are valid, for each eye or once for both; may be empty.
        form: Selects the eye and says how lost samples are marked.
    """
    chosen = [0] if len(x) == 1 else {"left": [0], "right": [1], "mean": [0, 1]}[form.eye]
    total_x, total_y, count, known = 0.0, 0.0, 0, 0
    for eye in chosen:
        (xs, empty_x), (ys, empty_y) = x[eye], y[eye]
        good = ~(empty_x | empty_y)
        if valid:
            good &= valid[min(eye, len(valid) - 1)]
        for number in form.lost:
            good &= ~((xs == number) & (ys == number))
        if form.above is not None:
            good &= ~((xs <= form.above) | (ys <= form.above))
        good &= ~((np.abs(xs) >= SENTINEL) | (np.abs(ys) >= SENTINEL))
        known = known + good
        if len(chosen) > 1:  # if one eye is not a number, use only the other
            good &= np.isfinite(xs) & np.isfinite(ys)
        total_x = total_x + np.where(good, xs, 0)
        total_y = total_y + np.where(good, ys, 0)
        count = count + good
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"x": total_x / count, "y": total_y / count, "lost": np.asarray(known) == 0}


def _valid(fields: Fields, form: CsvFormat, eye: int) -> np.ndarray:
    if form.valid_least is not None:
        with np.errstate(invalid="ignore"):
            return fields.numbers(form.decimal)[0] >= form.valid_least
    known = encoded(eye_values(form, eye))
    return np.isin(fields.texts(known.itemsize + 1), known)


def eye_values(form: CsvFormat, eye: int) -> tuple[str, ...]:
    """The values of `valid` that count as tracked for one eye."""
    values = form.valid_values
    return tuple(values if isinstance(values[0], str) else values[eye])


def _numbers(fields: Fields, form: CsvFormat, path: str, lines: np.ndarray):
    numbers, empty = fields.numbers(form.decimal)
    bad = np.flatnonzero(np.isnan(numbers) & ~empty)
    if len(bad) and form.decimal == ".":
        text = bytes(fields.rows(bad[:1]).texts()[0])
        if COMMA.fullmatch(text):
            option = advised('`decimal=","`', '"decimal": "," in gaze.json')
            raise ValueError(
                f"Numbers must have a decimal point; {option} reads decimal commas. Received: "
                f"{path}, line {lines[bad[0]]}: {text.decode()}"
            )
    return numbers, empty


def _decimals(fields: Fields, form: CsvFormat) -> int:
    """The largest number of digits after the decimal point."""
    if not len(fields.start):
        return 0
    texts = fields.matrix(32)
    point = (texts == ord(form.decimal)).argmax(1)
    length = np.minimum(fields.end - fields.start, 32)
    return int(np.max(np.where(point > 0, length - point - 1, 0)))


def _from_first(raw: RawGaze) -> np.ndarray:
    """Times after each viewer's first sample."""
    first = np.full(len(raw.names), np.inf)
    known = np.isfinite(raw.moment)
    np.minimum.at(first, raw.viewer[known], raw.moment[known])
    return raw.moment - first[raw.viewer]


def _first_time(path: str, form: CsvFormat) -> float:
    """The start of the video: the first time in the start file beside `path`."""
    beside = os.path.join(os.path.dirname(path), form.start_file)
    table = TextTable(beside)
    at = _place(form.time, table.header)
    if at is None:
        raise ValueError(
            f"`start_file` must have the column {form.time!r}. Received: {beside} with "
            f"{table.header}"
        )
    for chunk in table.chunks([at]):
        return float(chunk.columns[at].numbers(form.decimal)[0][0])
    raise ValueError(f"`start_file` must have at least one row. Received: {beside} without rows")
