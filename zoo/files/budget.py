"""Limits the memory that a file may request: sizes are checked before any allocation."""

from __future__ import annotations

from zoo.files.errors import FileFormatError

UNPACKED_LIMIT = 4 << 30  # bytes that the compressed parts of one file may unpack to
RATIO = 1032  # highest compression ratio of DEFLATE: a larger declared size cannot be true
SLACK = 1 << 20  # headers and rounding
SHARED = 4  # views into a file may add up to this many times its length (tied weights)


class Budget:
    """Adds up the sizes that a file declares, and refuses more than it can hold.

    An uncompressed part may not be larger than its stored bytes. A compressed part may unpack to
    at most 1032 times its stored bytes, and all compressed parts together to at most 4 GiB. All
    uncompressed parts together may be up to four times the file's length, because parts can share
    bytes.

    Args:
        file: The name of the file in error messages.
        length: The file's length in bytes.

    Example: `Budget("w.npz", 1000).take("a", 13_000_000_000, stored=200)` is an error.
    """

    def __init__(self, file: object, length: int):
        self.file = file
        self.length = length
        self._plain = self._unpacked = 0

    def take(self, name: str, size: int, *, stored: int, compressed: bool = False) -> None:
        """Count one part.

        Args:
            name: The part's name, such as a tensor's.
            size: Declared size in memory, in bytes.
            stored: Size in the file, in bytes.
            compressed: Whether the part is compressed.

        Raises:
            FileFormatError: the file cannot hold what the part declares.
        """
        stored = min(stored, self.length)
        if compressed:
            self._unpacked += size
            fits = size <= RATIO * stored + SLACK and self._unpacked <= UNPACKED_LIMIT
        else:
            self._plain += size
            fits = size <= stored and self._plain <= SHARED * self.length + SLACK
        if not fits:
            raise FileFormatError(
                "A file must be large enough for the arrays that it declares, which may take at "
                f"most {UNPACKED_LIMIT >> 30} GiB unpacked; it is damaged or forged. Received: "
                f"{name!r} of {size} bytes, stored in {stored}, in {self.file} of {self.length} "
                "bytes"
            )
