"""What changes when a file or folder is replaced."""

from __future__ import annotations

import os
import stat


def file_state(path: str | os.PathLike) -> tuple[int, int]:
    """Size (0 for a folder) and time of the last change in nanoseconds.

    The time of a folder changes when a file in it is added, removed or renamed.
    """
    found = os.stat(path)
    return (0 if stat.S_ISDIR(found.st_mode) else found.st_size), found.st_mtime_ns


def path_state(path: str | os.PathLike) -> list[list]:
    """Name, size and time of the last change of a file, or of every entry of a folder.

    The size and the time of a path that does not exist are None.
    """
    if os.path.isdir(path):
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        return [[entry.name, *file_state(entry)] for entry in entries]
    name = os.path.basename(path)
    return [[name, *file_state(path)] if os.path.exists(path) else [name, None, None]]
