"""How long a file says that its video is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import av

from zoo.datasets.video.frame_index import FrameIndex

MISSING_SHARE = 0.1  # headers err by a frame or two; a file that lacks a tenth was cut off


@dataclass(frozen=True)
class Promise:
    """What a file's header says about the length of its video stream, not of its sound.

    Attributes:
        frames: Frames; 0 where the header does not say.
        seconds: Seconds; 0 where the header does not say. An mp4 says both, and an edit list may
            show fewer frames than there are.
    """

    frames: int = 0
    seconds: float = 0.0

    def kept(self, index: FrameIndex) -> bool:
        """Whether the frames that were found are as many, or last as long, as was promised."""
        missing = self.frames - len(index)
        by_count = self.frames > 0 and missing <= max(2, MISSING_SHARE * self.frames)
        by_time = self.seconds > 0 and index.end >= (1 - MISSING_SHARE) * self.seconds
        return by_count or by_time or not (self.frames or self.seconds)

    def told(self, index: FrameIndex) -> str:
        """What was found of what was promised."""
        if self.frames:
            return f"{len(index)} frames of {self.frames}"
        return f"{index.end:.2f} s of {self.seconds:.2f} s"


def header_promise(container: Any, stream: Any) -> Promise:
    """What the header of an open file promises of its video stream."""
    start = stream.start_time
    start = 0.0 if start is None else float(start * stream.time_base)
    seconds = 0.0
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
    elif (end := _tagged_end(stream.metadata.get("DURATION", ""))) > start:
        seconds = end - start
    elif container.duration and len(container.streams) == 1:
        began = (container.start_time or 0) / av.time_base
        seconds = began + container.duration / av.time_base - start
    if stream.frames > 0 and "mp4" not in container.format.name:
        seconds = 0.0  # of a file that was cut, FFmpeg derives it from what is left
    return Promise(max(0, stream.frames), max(0.0, seconds))


def _tagged_end(text: str) -> float:
    """Seconds of a Matroska tag of the form 00:00:04.000000000; 0 if it is none."""
    with contextlib.suppress(ValueError):
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    return 0.0
