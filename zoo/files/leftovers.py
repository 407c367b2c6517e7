"""Removes the unfinished files of processes that were killed."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
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
    for entry, process in _unfinished(folder):
        if _runs(process):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
        removed.append(entry.name)
    return removed


def in_use(folder: str | os.PathLike) -> str | None:
    """The name of an unfinished file that another running process is writing, if there is one."""
    for entry, process in _unfinished(folder):
        if process != os.getpid() and _runs(process) and not entry.name.startswith(".probe."):
            return entry.name
    return None


def _unfinished(folder: str | os.PathLike) -> Iterator[tuple[Path, int]]:
    """The unfinished files and folders, each with the number of its process."""
    for entry in sorted(Path(folder).iterdir()):
        found = _UNFINISHED.fullmatch(entry.name)
        part = entry.name.startswith(".probe.") or ".part" in entry.name or ".sound" in entry.name
        if found is not None and part:
            yield entry, int(found[1])


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
