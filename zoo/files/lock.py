"""A lock that lets only one process at a time write to a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

NAME = ".lock"


@contextlib.contextmanager
def folder_lock(folder: str | os.PathLike, what: str = "a folder") -> Iterator[None]:
    """Lock a folder while the block runs; the lock of a killed process is released.

    Args:
        folder: An existing folder.
        what: What is locked, for the error message.

    Raises:
        BlockingIOError: another process holds the lock; the message gives its process ID.

    Example:
        with folder_lock("prepared"):
            ...
    """
    path = Path(folder, NAME)
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if not _take(file):
                holder = os.read(file, 32).decode("ascii", "replace").strip()
                raise BlockingIOError(
                    f"{what} must be written by one command at a time; wait for the other one or "
                    f"end it. Received: {folder}, in use by process {holder or 'unknown'}"
                )
            if _same(file, path):  # else the previous holder has just removed the file
                break
        except BaseException:
            os.close(file)
            raise
        os.close(file)
    try:
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _take(file: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _same(file: int, path: Path) -> bool:
    try:
        return os.fstat(file).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
