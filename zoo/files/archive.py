"""Opens a member of a zip archive as a file, without unpacking it into memory."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from zoo.files.budget import Budget

_BLOCK = 1 << 20


@contextmanager
def open_member(path: str | os.PathLike, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open a member of an archive as a seekable file, and give its length.

    An uncompressed member is read in place; a compressed one is unpacked to a temporary file.
    Its declared unpacked size is checked first.

    Args:
        path: The archive.
        name: The member.

    Raises:
        FileFormatError: the member declares more than it can hold.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
        compressed = info.compress_type != zipfile.ZIP_STORED
        budget = Budget(path, os.path.getsize(path))
        budget.take(name, info.file_size, stored=info.compress_size, compressed=compressed)
        if not compressed:
            with open(path, "rb") as file:
                file.seek(info.header_offset + 26)
                lengths = file.read(4)
                start = info.header_offset + 30
                start += int.from_bytes(lengths[:2], "little")
                start += int.from_bytes(lengths[2:], "little")
                yield io.BufferedReader(_Part(file, start, info.file_size)), info.file_size
            return
        with archive.open(info) as packed, tempfile.TemporaryFile() as file:
            while block := packed.read(_BLOCK):
                file.write(block)
            file.seek(0)
            yield file, info.file_size


class _Part(io.RawIOBase):
    """A byte range of an open file, as a file."""

    def __init__(self, file: BinaryIO, start: int, length: int):
        self._file, self._start, self._length, self._at = file, start, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer) -> int:
        count = max(0, min(len(buffer), self._length - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
