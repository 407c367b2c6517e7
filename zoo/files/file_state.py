"""What changes when a file is replaced."""

from __future__ import annotations

import os


def file_state(path: str | os.PathLike) -> tuple[int, int]:
    """Size and time of the last change of a file."""
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns
