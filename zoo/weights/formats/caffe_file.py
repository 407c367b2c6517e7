"""Reading Caffe's .caffemodel, a protocol buffer, by its wire format.

All three generations of layers are supported (`layer`, `layers`, `layers` that contain a `layer`),
and both numberings of blobs: BVLC's, and that of the C3D fork, which has a `length` before the
height.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zoo.weights.errors import WeightsError
from zoo.weights.formats.mapped import map_file

# Largest number of values that a blob may store in separate fields, as in old files.
_MOST_SINGLE = 1 << 22
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_caffe(path: Path) -> dict[str, np.ndarray]:
    """Blobs `layer/0` (weights), `layer/1` (biases) and so on, as views into the file."""
    whole = map_file(path)
    result: dict[str, np.ndarray] = {}
    try:
        for field, wire, value in _fields(whole):
            if wire == _BYTES and field in (2, 100):
                name, blobs = _layer(value, new=field == 100)
                for index, blob in enumerate(blobs):
                    result[f"{name}/{index}"] = blob
    except (IndexError, UnicodeDecodeError) as error:
        raise WeightsError(
            "The file must be a whole .caffemodel; it is damaged or ends too early. "
            f"Received: {path}"
        ) from error
    if not result:
        raise WeightsError(f"A .caffemodel must hold layers with blobs. Received: {path}")
    return result


def read_blob(path: Path) -> np.ndarray:
    """The blob of a .binaryproto file, such as a mean image."""
    try:
        return _blob(map_file(path))
    except IndexError as error:
        raise WeightsError(f"The file must be a whole .binaryproto. Received: {path}") from error


def _layer(message: np.ndarray, *, new: bool) -> tuple[str, list[np.ndarray]]:
    name_field, blob_field = (1, 7) if new else (4, 6)
    name, blobs = "", []
    for field, wire, value in _fields(message):
        if wire != _BYTES:
            continue
        if field == name_field:
            name = value.tobytes().decode("utf-8")
        elif field == blob_field:
            blobs.append(_blob(value))
        elif field == 1 and not new:  # the oldest generation wraps the layer once more
            for inner, inner_wire, inner_value in _fields(value):
                if inner_wire == _BYTES and inner == 1:
                    name = inner_value.tobytes().decode("utf-8")
                elif inner_wire == _BYTES and inner == 50:
                    blobs.append(_blob(inner_value))
    return name, blobs


def _blob(message: np.ndarray) -> np.ndarray:
    sizes: dict[int, int] = {}
    packed: dict[int, np.ndarray] = {}
    single: dict[int, list[np.ndarray]] = {}
    for field, wire, value in _fields(message):
        if wire == _VARINT:
            sizes[field] = value
        elif wire == _BYTES:
            packed[field] = value
        elif wire == _FIXED32:
            numbers = single.setdefault(field, [])
            numbers.append(value)
            if len(numbers) > _MOST_SINGLE:
                raise IndexError("numbers without end")
    if 5 in sizes:  # C3D's fork: num, channels, length, height, width, data
        data_field, shape = 6, [sizes.get(field, 1) for field in (1, 2, 3, 4, 5)]
    else:
        data_field, shape = 5, [sizes.get(field, 1) for field in (1, 2, 3, 4)]
        if 7 in packed:
            shape = _dimensions(packed[7])
    if 8 in packed:
        values = np.frombuffer(packed[8], "<f8")
    elif data_field in packed:
        values = np.frombuffer(packed[data_field], "<f4")
    else:
        values = np.frombuffer(b"".join(v.tobytes() for v in single.get(data_field, [])), "<f4")
    if math.prod(shape) != values.size or len(shape) > 32:
        raise WeightsError(
            f"A blob's numbers must fit its shape. Received: shape={shape}, {values.size} numbers"
        )
    return values.reshape(shape)


def _dimensions(message: np.ndarray) -> list[int]:
    shape = []
    for field, wire, value in _fields(message):
        if field == 1 and wire == _VARINT:
            shape.append(value)
        elif field == 1 and wire == _BYTES:
            position = 0
            while position < value.size:
                number, position = _varint(value, position)
                shape.append(number)
    return shape


def _varint(data: np.ndarray, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = int(data[position])
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7
        if shift > 63:
            raise IndexError("varint too long")


def _fields(data: np.ndarray) -> Iterator[tuple[int, int, int | np.ndarray]]:
    position = 0
    while position < data.size:
        key, position = _varint(data, position)
        field, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
        else:
            if wire == _BYTES:
                length, position = _varint(data, position)
            elif wire in (_FIXED32, _FIXED64):
                length = 4 if wire == _FIXED32 else 8
            else:
                raise IndexError(f"wire type {wire}")
            if field == 0 or position + length > data.size:
                raise IndexError("field beyond the end")
            value = data[position : position + length]
            position += length
        yield field, wire, value
