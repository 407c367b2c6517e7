"""Unpacks MATLAB 5 files safely: no array may be larger than the bytes that hold it."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path

from zoo.files.budget import RATIO, SLACK, UNPACKED_LIMIT
from zoo.files.errors import FileFormatError

HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
# Valid element types; for any other, SciPy reads out of bounds.
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18}
_CLASSES = range(1, 18)
_CELL, _STRUCT, _OBJECT, _SPARSE, _FUNCTION, _OPAQUE = 1, 2, 3, 5, 16, 17
_HOLDERS = {_CELL, _STRUCT, _OBJECT, _FUNCTION, _OPAQUE}
_COMPLEX = 1 << 11  # bit in an array's flags
_DEEPEST = 50


def unpack_mat5(path: str | Path) -> io.BytesIO:
    """Decompress the file and check every matrix.

    Raises:
        FileFormatError: an element is truncated, unpacks to more than 4 GiB, or declares more
            than it holds.
    """
    data = Path(path).read_bytes()
    order = "<" if data[126:128] == b"IM" else ">"
    parts, at, room = [data[:HEADER]], HEADER, UNPACKED_LIMIT
    while at + 8 <= len(data):
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if len(body) < size:
            raise _refused(path, f"an element of {size} bytes, of which only {len(body)} exist")
        at += 8 + size
        if kind == _COMPRESSED:
            element = _unpack(body, min(room, RATIO * size + SLACK), path)
            room -= len(element)
        else:
            element = struct.pack(f"{order}II", kind, size) + body
        _check_element(memoryview(element), order, path, 0)
        parts.append(element)
    return io.BytesIO(b"".join(parts))


def _unpack(body: bytes, limit: int, path: object) -> bytes:
    unpacker = zlib.decompressobj()
    element = unpacker.decompress(body, limit)
    if unpacker.unconsumed_tail and not unpacker.eof:
        raise _refused(path, f"an element that unpacks to more than {limit} bytes")
    return element


def _check_element(element: memoryview, order: str, path: object, depth: int) -> int:
    """Check one element and its contents; return its length in bytes."""
    kind, size, start = _tag(element, order, path)
    if start + size > len(element):
        raise _refused(path, f"an element of {size} bytes, of which {len(element) - start} fit")
    if kind == _MATRIX and size:
        _check_matrix(element[start : start + size], order, path, depth)
    # Matrices are not padded; small elements take 8 bytes, others are rounded up to 8.
    return 8 if start == 4 else start + (size if kind == _MATRIX else -(-size // 8) * 8)


def _tag(element: memoryview, order: str, path: object) -> tuple[int, int, int]:
    if len(element) < 8:
        raise _refused(path, "an element that is cut off")
    kind, size = struct.unpack(f"{order}II", element[:8])
    if kind >> 16:  # small format: size and type in one integer, data in the next four bytes
        return kind & 0xFFFF, kind >> 16, 4
    return kind, size, 8


def _check_matrix(body: memoryview, order: str, path: object, depth: int) -> None:
    if depth > _DEEPEST:
        raise _refused(path, f"more than {_DEEPEST} nested arrays")
    _, size, start = _tag(body, order, path)
    if size < 4:
        raise _refused(path, "an array without a class")
    flags = struct.unpack(f"{order}I", body[start : start + 4])[0]
    matrix_class = flags & 0xFF
    if matrix_class not in _CLASSES:
        raise _refused(path, f"an array of class {matrix_class}")
    at = start + -(-size // 8) * 8 if start == 8 else 8
    count = 0
    if matrix_class != _OPAQUE:  # an opaque MATLAB object has no size
        _, size, start = _tag(body[at:], order, path)
        held = body[at + start : at + start + size]
        if len(held) < size or size % 4:
            raise _refused(path, "an array without a size")
        shape = struct.unpack(f"{order}{size // 4}i", held)
        count = math.prod(shape)
        fits = count <= len(body) or matrix_class == _SPARSE
        if any(side < 0 for side in shape) or not fits:
            raise _refused(path, f"an array of shape {shape} in {len(body)} bytes")
        at += 8 if start == 4 else 8 + -(-size // 8) * 8
    parts = []
    while at + 8 <= len(body):  # the name, then numbers or nested arrays
        kind, size, start = _tag(body[at:], order, path)
        if kind not in _NUMBERS and not (kind == _MATRIX and matrix_class in _HOLDERS):
            raise _refused(path, f"an element of type {kind} in an array")
        parts.append(
            (kind, bytes(body[at + start : at + start + (0 if kind == _MATRIX else size)]))
        )
        at += _check_element(body[at:], order, path, depth + 1)
    wanted = _elements(matrix_class, bool(flags & _COMPLEX), count, parts, order)
    # If an array has fewer parts than its class requires, SciPy reads past its end.
    if [kind == _MATRIX for kind, _ in parts] != wanted:
        raise _refused(path, f"an array of class {matrix_class} with {len(parts)} parts")


def _elements(
    matrix_class: int, is_complex: bool, count: int, parts: list[tuple[int, bytes]], order: str
) -> list[bool]:
    """For each part that a class of array requires, from its name on: whether it is an array."""
    if matrix_class == _CELL:
        return [False] + [True] * count
    if matrix_class in (_STRUCT, _OBJECT):
        plain = 3 if matrix_class == _STRUCT else 4  # (class,) length of a field name, names
        if len(parts) < plain or len(parts[plain - 2][1]) != 4:
            return []
        length = struct.unpack(f"{order}i", parts[plain - 2][1])[0]
        fields = len(parts[plain - 1][1]) // length if length > 0 else 0
        return [False] * plain + [True] * (count * fields)
    if matrix_class == _FUNCTION:
        return [False, True]
    if matrix_class == _OPAQUE:
        return [False] * 3 + [True]
    return [False] * ((4 if matrix_class == _SPARSE else 2) + is_complex)


def _refused(path: object, what: str) -> FileFormatError:
    return FileFormatError(f"A mat file must contain what it declares. Received: {what} in {path}")
