"""The sorted table of names that the index of a TensorFlow checkpoint is."""

from __future__ import annotations

from collections.abc import Iterator

_FOOTER = 48  # two places and the magic number
_TRAILER = 5  # kind of compression and checksum


def table_entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and values of a table, in their order.

    Args:
        data: The whole file. Its blocks must not be compressed, as TensorFlow writes an index.

    Raises:
        ValueError: The table is cut short, or a place lies outside it.

    Reference: the table format of LevelDB, which TensorFlow's tensor bundles use.
    """
    if len(data) < _FOOTER:
        raise ValueError(f"a table must have at least {_FOOTER} bytes, not {len(data)}")
    footer = data[-_FOOTER:]
    _, at = _place(footer, 0)
    place, _ = _place(footer, at)
    for _, held in _block(data, place):
        yield from _block(data, _place(held, 0)[0])


def _block(data: bytes, place: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    start, length = place
    if start + length + _TRAILER > len(data) or length < 4:
        raise ValueError(f"a block of {length} bytes at {start} lies outside {len(data)} bytes")
    if data[start + length]:
        raise ValueError("the blocks of an index must not be compressed")
    block = data[start : start + length]
    restarts = int.from_bytes(block[-4:], "little")
    end, at, name = length - 4 - 4 * restarts, 0, b""
    if end < 0:
        raise ValueError(f"a block of {length} bytes cannot have {restarts} restarts")
    while at < end:
        shared, at = _number(block, at)
        own, at = _number(block, at)
        size, at = _number(block, at)
        if shared > len(name) or at + own + size > end:
            raise ValueError("an entry must lie in its block")
        name = name[:shared] + block[at : at + own]
        yield name, block[at + own : at + own + size]
        at += own + size


def _place(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    start, at = _number(data, at)
    length, at = _number(data, at)
    return (start, length), at


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    raise ValueError("a number must end within its block")
