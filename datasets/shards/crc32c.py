"""CRC-32C (Castagnoli), the checksum of TFRecord files, in NumPy.

The bytes are split into lanes that are processed in parallel. Neighbouring lanes are then combined
pairwise: crc(a + b) = shift(crc(a), len(b)) xor crc(b), where the shift is linear in the bits.
"""

from __future__ import annotations

import functools

import numpy as np

POLYNOMIAL = 0x82F63B78
LANE = 64  # least bytes per lane
LANES = 4096  # most lanes, so that their registers fit in the processor's first-level cache
MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes | bytearray | memoryview) -> int:
    """The CRC-32C of some bytes."""
    raw = np.frombuffer(data, np.uint8)
    if len(raw) < 2 * LANE:
        return _plain(raw)
    lanes = 1 << min((-(-len(raw) // LANE) - 1).bit_length(), LANES.bit_length() - 1)
    lane = LANE
    while lanes * lane < len(raw):
        lane *= 2
    # Leading zeros do not change a register of zero, so the data can be padded in front. CRC-32C
    # starts with a register of ones, which is equivalent to inverting the first four bytes.
    held = np.zeros(lanes * lane, np.uint8)
    held[-len(raw) :] = raw
    held[-len(raw) : len(held) - len(raw) + 4] ^= 0xFF
    words = held.view("<u2").reshape(lanes, lane // 2).T
    table = _table16()
    register = np.zeros(lanes, np.uint32)
    for word in np.ascontiguousarray(words):
        register = table[(register ^ word) & 0xFFFF] ^ (register >> 16)
    length = lane
    while len(register) > 1:
        register = _shifted(register[0::2], length) ^ register[1::2]
        length *= 2
    return int(register[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | bytearray | memoryview) -> int:
    """The CRC-32C in the masked form that TFRecord files store."""
    value = crc32c(data)
    return (((value >> 15) | (value << 17)) + MASK_DELTA) & 0xFFFFFFFF


def _plain(raw: np.ndarray) -> int:
    table, register = _table8().tolist(), 0xFFFFFFFF
    for byte in raw.tolist():
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


@functools.cache
def _table8() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(POLYNOMIAL), table >> 1)
    return table


@functools.cache
def _table16() -> np.ndarray:
    low = np.arange(1 << 16, dtype=np.uint32)
    table = _table8()
    for _ in range(2):
        low = table[low & 0xFF] ^ (low >> 8)
    return low


def _shifted(values: np.ndarray, length: int) -> np.ndarray:
    """The registers after `length` more zero bytes; `length` is a power of two."""
    tables = _shift_tables(length)
    out = tables[0][values & 0xFF]
    for place in range(1, 4):
        out = out ^ tables[place][(values >> (8 * place)) & 0xFF]
    return out


@functools.cache
def _shift_tables(length: int) -> np.ndarray:
    """(4, 256): the register after `length` zero bytes, for each value of each of its bytes."""
    values = np.arange(256, dtype=np.uint32)[None] << (8 * np.arange(4, dtype=np.uint32))[:, None]
    if length == 1:
        return _table8()[values & 0xFF] ^ (values >> 8)
    return _shifted(_shifted(values, length // 2), length // 2)
