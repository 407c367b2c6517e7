"""Memory-mapped files whose pages can be released after use."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np


def map_file(path: str | Path) -> np.ndarray:
    """The bytes of a file, mapped into memory and read on access."""
    with Path(path).open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def release(array: np.ndarray) -> None:
    """Release the pages of the file that `array` is a view of; they are read again if needed.

    Otherwise the whole file would count towards the memory usage of the process.
    """
    owner: object = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    if owner is not None and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)
