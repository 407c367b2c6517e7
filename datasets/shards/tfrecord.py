"""TFRecord files and the `tf.train.Example` in them, written and read without TensorFlow.

A file is a row of: length (8 bytes), its masked CRC-32C, the data, its masked CRC-32C. The data
is an Example: a map from names to lists of bytes, of float32 or of int64 (protocol buffers).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np

from zoo.datasets.shards.crc32c import masked_crc32c

HEAD, FOOT = 12, 4  # bytes around a record's data
BLOCK = 1 << 24  # bytes read at once

Value = Sequence[bytes] | np.ndarray


def frame_record(data: bytes) -> bytes:
    """The data as a record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (
            length,
            struct.pack("<I", masked_crc32c(length)),
            data,
            struct.pack("<I", masked_crc32c(data)),
        )
    )


def read_records(file: BinaryIO, name: str = "") -> Iterator[bytes]:
    """The data of all records of an open file.

    Raises:
        ValueError: The file is damaged; the error names the record.
    """
    number = 0
    while head := file.read(HEAD):
        where = f"{name}, record {number}"
        if len(head) < HEAD:
            raise ValueError(f"A TFRecord file must end after a record. Received: {where}, cut off")
        length, crc = struct.unpack("<QI", head)
        if masked_crc32c(head[:8]) != crc:
            raise ValueError(f"A record's length must match its checksum. Received: {where}")
        data, foot = _read(file, length), file.read(FOOT)
        if len(data) < length or len(foot) < FOOT:
            raise ValueError(f"A TFRecord file must end after a record. Received: {where}, cut off")
        if masked_crc32c(data) != struct.unpack("<I", foot)[0]:
            raise ValueError(f"A record must match its checksum. Received: {where}")
        yield data
        number += 1


def _read(file: BinaryIO, length: int) -> bytes:
    """Bytes of a file; fewer at its end. A forged length allocates no more than the file holds."""
    parts = []
    while length > 0 and (part := file.read(min(length, BLOCK))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def encode_example(features: Mapping[str, Value]) -> tuple[bytes, dict[str, list[int]]]:
    """Encode an Example; also return, for each list of bytes, the positions of its items."""
    entries, placed = [], {}
    for name in sorted(features):
        value = features[name]
        if isinstance(value, np.ndarray):
            kind, body, places = *_numbers(value), []
        else:
            kind, parts, places, at = 1, [], [], 0
            for item in value:
                head = b"\x0a" + _varint(len(item))
                places.append(at + len(head))
                parts += (head, item)
                at += len(head) + len(item)
            body = b"".join(parts)
        # Feature { oneof: 1 bytes_list, 2 float_list, 3 int64_list }
        feature = _field(kind, body)
        key = _field(1, name.encode())
        entry_head = key + b"\x12" + _varint(len(feature))
        entry = entry_head + feature
        entries.append((name, entry, len(entry_head) + len(feature) - len(body), places))
    whole, at = [], 0
    for name, entry, before, places in entries:
        head = b"\x0a" + _varint(len(entry))
        placed[name] = [at + len(head) + before + place for place in places]
        whole += (head, entry)
        at += len(head) + len(entry)
    head = b"\x0a" + _varint(at)
    data = head + b"".join(whole)
    return data, {n: [len(head) + p for p in places] for n, places in placed.items() if places}


def decode_example(data: bytes) -> dict[str, Value]:
    """The features of an Example: lists of bytes, float32 arrays or int64 arrays."""
    found: dict[str, Value] = {}
    view = memoryview(data)
    for _, features in _fields(view):
        for _, entry in _fields(features):
            parts = dict(_fields(entry))
            name = bytes(parts[1]).decode()
            ((kind, body),) = _fields(parts[2])
            found[name] = _values(kind, body)
    return found


def _values(kind: int, body: memoryview) -> Value:
    if kind == 1:
        return [bytes(item) for _, item in _fields(body)]
    packed = [item for _, item in _fields(body)]
    if kind == 2:
        return np.concatenate(
            [np.frombuffer(item, "<f4") for item in packed] or [np.zeros(0, "<f4")]
        )
    numbers = []
    for item in packed:
        at = 0
        while at < len(item):
            value, at = _read_varint(item, at)
            numbers.append(value - (1 << 64) if value >> 63 else value)
    return np.asarray(numbers, np.int64)


def _numbers(value: np.ndarray) -> tuple[int, bytes]:
    if value.dtype.kind == "f":
        return 2, _field(1, value.astype("<f4").tobytes())
    packed = b"".join(_varint(int(number) & (1 << 64) - 1) for number in value.reshape(-1))
    return 3, _field(1, packed)


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(number, body) of the length-delimited fields of a message."""
    at = 0
    while at < len(view):
        tag, at = _read_varint(view, at)
        if tag & 7 != 2:
            raise ValueError(f"An Example must hold only delimited fields. Received: tag {tag}")
        length, at = _read_varint(view, at)
        if at + length > len(view):
            raise ValueError("An Example must be complete. Received: a field that ends after it")
        yield tag >> 3, view[at : at + length]
        at += length


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(view):
            raise ValueError("An Example must be complete. Received: a number that is cut off")
        byte = view[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return number, at
        shift += 7
