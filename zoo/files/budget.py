"""How much memory a file may ask for: sizes are checked before anything is allocated."""

from __future__ import annotations

from zoo.files.errors import FileFormatError

UNPACKED_LIMIT = 4 << 30  # bytes that the compressed parts of one file may unpack to
RATIO = 1032  # the most that DEFLATE packs: a longer declaration cannot be true
SLACK = 1 << 20  # headers and rounding
SHARED = 4  # times a file's own length that views into it may add up to (tied weights)


class Budget:
    """Counts what a file declares, and refuses what it cannot hold.

    A part that is stored as it is may not be larger than its stored bytes. A compressed part may
    not be more than 1032 times as large, and all of them together not above 4 GiB. All parts
    together may be at most four times the file's length, for parts that share their bytes.

    Args:
        file: What the file is called in errors.
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
            name: The part, such as a tensor's name.
            size: Bytes in memory that the part declares.
            stored: Bytes of the file that hold it.
            compressed: Whether they are compressed.

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
                f"A file's parts must fit what it holds, and unpack to at most "
                f"{UNPACKED_LIMIT >> 30} GiB; it is damaged or forged. Received: {name!r} of "
                f"{size} bytes, stored in {stored}, in {self.file} of {self.length} bytes"
            )
