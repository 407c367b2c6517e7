"""TFRecord files, written and read without TensorFlow, and the `tf.train.Example` in them.

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


def _numbers(value: np.ndarray) -> tuple[int, bytes]:
    if value.dtype.kind == "f":
        return 2, _field(1, value.astype("<f4").tobytes())
    packed = b"".join(_varint(int(number) & (1 << 64) - 1) for number in value.reshape(-1))
    return 3, _field(1, packed)


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
