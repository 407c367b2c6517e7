"""The length of a video according to the file's header."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import av

from zoo.datasets.video.frame_index import FrameIndex

# Headers can be wrong by a frame or two; a file that lacks a tenth of its length was cut off.
MISSING_SHARE = 0.1


@dataclass(frozen=True)
class Promise:
    """The length of a file's video stream (not its sound) according to the header.

    An mp4 file states both lengths, and its edit list may show fewer frames than there are.

    Attributes:
        frames: Number of frames; 0 if not stated.
        seconds: Duration in seconds; 0 if not stated.
    """

    frames: int = 0
    seconds: float = 0.0

    def kept(self, index: FrameIndex) -> bool:
        """Whether as many frames were found as stated, or frames of the stated duration."""
        missing = self.frames - len(index)
        by_count = self.frames > 0 and missing <= max(2, MISSING_SHARE * self.frames)
        by_time = self.seconds > 0 and index.end >= (1 - MISSING_SHARE) * self.seconds
        return by_count or by_time or not (self.frames or self.seconds)

    def describe(self, index: FrameIndex) -> str:
        """The length that was found and the length that is stated, in words."""
        if self.frames:
            return f"{len(index)} frames of {self.frames}"
        return f"{index.end:.2f} s of {self.seconds:.2f} s"


def header_promise(container: Any, stream: Any) -> Promise:
    """The length of the video stream according to the header of an open file."""
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
        seconds = 0.0  # for a file that was cut off, FFmpeg derives this from what is left
    return Promise(max(0, stream.frames), max(0.0, seconds))


def _tagged_end(text: str) -> float:
    """Seconds from a Matroska tag such as 00:00:04.000000000; 0 if it has another form."""
    with contextlib.suppress(ValueError):
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    return 0.0
