"""Reading the frames of an animated WebP picture, which FFmpeg does not decode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
import numpy as np

from zoo.datasets.video.errors import VideoError
from zoo.datasets.video.frame_index import FrameIndex
from zoo.datasets.video.promise import Promise
from zoo.datasets.video.resizing import to_rgb

ANIMATED = 2  # flag in the file's header


def is_animated_webp(path: str) -> bool:
    """Whether a file is an animated WebP picture."""
    if not path.lower().endswith(".webp"):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(21)
    except OSError:
        return False
    webp = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return webp and len(head) == 21 and bool(head[20] & ANIMATED)


class AnimationSource:
    """Frames of an animated picture, all decoded when it is opened.

    Args:
        path: The file.
    """

    def __init__(self, path: str):
        self.path = path
        try:
            read, animation = cv2.imreadanimation(path)
        except cv2.error:
            read = False
        if not read or not len(animation.frames):
            raise VideoError(f"An animated picture must be readable. Received: {path}")
        self._frames = [np.ascontiguousarray(frame[..., :3]) for frame in animation.frames]
        lengths = np.maximum(np.asarray(animation.durations, np.float64) / 1000, 1e-3)
        ends = np.cumsum(lengths)
        self.fps = len(ends) / float(ends[-1])
        self.states_rate, self.tick = True, 1e-3
        self.height, self.width = self._frames[0].shape[:2]
        self.sample_aspect = Fraction(1)
        self.promised = Promise(frames=len(ends))
        self._index = FrameIndex(times=ends - lengths, end=float(ends[-1]))

    def scan(self, anew: bool = False) -> FrameIndex:
        """The times of the frames."""
        return self._index

    def walk(
        self, indices: Iterable[int], size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the frames of `indices`; stop after the last existing frame."""
        for index in indices:
            if index >= len(self._frames):
                return
            yield to_rgb(self._frames[index], size)
