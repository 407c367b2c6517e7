"""Checks HDF5's string heaps before the library reads them: a damaged heap makes it hang."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from zoo.files.errors import FileFormatError

_SIGN = b"GCOL\x01\0\0\0"  # signature of a heap collection, version 1
_HEAD = 16  # header size of a collection and of each object, in bytes
_BLOCK = 1 << 22


def check_heaps(file: BinaryIO, label: object) -> int:
    """Refuse a file with a heap object that does not fit its heap.

    Returns the size of the longest string, in bytes.

    Args:
        file: An open HDF5 file.
        label: The name of the file in error messages.
    """
    longest = 0
    for start in _collections(file):
        file.seek(start)
        head = file.read(_HEAD)
        end, at = start + int.from_bytes(head[8:], "little"), start + _HEAD
        while at + _HEAD <= end:
            file.seek(at)
            head = file.read(_HEAD)
            index, size = int.from_bytes(head[:2], "little"), int.from_bytes(head[8:], "little")
            # Object 0 is the free space; its size includes its header.
            step = size if index == 0 else _HEAD + -(-size // 8) * 8
            if len(head) < _HEAD or step < _HEAD or at + step > end:
                raise FileFormatError(
                    "An object in an HDF5 file's heap must lie within the heap. Received: an "
                    f"object of {size} bytes at byte {at} of {label}"
                )
            at += step
            if index:
                longest = max(longest, size)
    file.seek(0)
    return longest


def _collections(file: BinaryIO) -> Iterator[int]:
    """Byte offsets of the file's string heaps."""
    found, start, kept = [], 0, b""
    file.seek(0)
    while block := file.read(_BLOCK):
        data = kept + block
        place = data.find(_SIGN)
        while place >= 0:
            found.append(start - len(kept) + place)
            place = data.find(_SIGN, place + 1)
        start += len(block)
        kept = data[-len(_SIGN) + 1 :]
    yield from found
