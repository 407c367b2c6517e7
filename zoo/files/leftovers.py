"""Removes the unfinished files of processes that were killed."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

# `.film.mp4.1234.part`, `.index.1234-140.part.json`, `.film.mp4.1234.sound`, `.probe.1234`
_UNFINISHED = re.compile(r"\.(?:probe|.+)\.(\d+)(?:-\d+)?(?:\.(?:part|sound)(?:\.[^.]+)*)?")


def remove_leftovers(folder: str | os.PathLike) -> list[str]:
    """Remove unfinished files and folders whose process is no longer running.

    Args:
        folder: The folder to search, without its subfolders.

    Returns:
        The names of the removed files and folders.
    """
    removed = []
    for entry in sorted(Path(folder).iterdir()):
        found = _UNFINISHED.fullmatch(entry.name)
        part = entry.name.startswith(".probe.") or ".part" in entry.name or ".sound" in entry.name
        if found is None or not part or _runs(int(found[1])):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
        removed.append(entry.name)
    return removed


def _runs(process: int) -> bool:
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is running, as another user's process
        return True
    return True
