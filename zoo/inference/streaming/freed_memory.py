"""Returns memory to the system that a long run has freed."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

EVERY = 64  # frames


class FreedMemory:
    """Returns freed memory every `EVERY` frames, so that the process does not grow with the video.

    glibc keeps freed memory in pieces between those in use: 40 MiB more for a video of a minute
    than for one of ten seconds. Other C libraries return it by themselves, or cannot be asked to.

    Example:

    ```python
    freed = FreedMemory()
    for frames in pieces:
        work(frames)
        freed.after(len(frames))
    ```
    """

    def __init__(self):
        self._frames = 0

    def after(self, frames: int) -> None:
        """Count frames that have been worked on, and return memory if it is time."""
        self._frames += frames
        if self._frames >= EVERY:
            self._frames = 0
            if (trim := _malloc_trim()) is not None:
                trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`; None where there is none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
