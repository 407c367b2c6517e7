"""Which frames of a video make a sample; drawn before anything is decoded.

A sampling takes the time stamps of a video's frames (seconds, one a frame) and gives frame
numbers, so it works at a wanted frame rate on videos of any and of varying rates: the frame at a
moment is the last one whose time stamp is not after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zoo.files.interface import advised

SLACK = 1e-6  # seconds; time stamps are rounded


def resampled(times: np.ndarray, fps: float | None) -> np.ndarray:
    """Frame numbers at `fps` pictures a second from the first frame on; None: every frame."""
    times = np.asarray(times, np.float64)
    if fps is None:
        return np.arange(len(times))
    if not fps > 0:
        raise ValueError(f"`fps` must be above 0. Received: fps={fps}")
    if not len(times):
        return np.arange(0)
    frame = np.median(np.diff(times)) if len(times) > 1 else 1 / fps
    length = times[-1] - times[0] + frame  # the last frame is shown for a while, too
    moments = times[0] + np.arange(max(1, int(np.ceil(length * fps - SLACK)))) / fps
    return np.searchsorted(times, moments + SLACK, side="right") - 1


@dataclass(frozen=True)
class Windows:
    """Frames that follow each other: clips of 16, blocks of 30 at 6 to 30 a second, windows of 79.

    Args:
        length: Frames of a sample.
        hop: Frames between the beginnings of two samples where all are wanted.
        fps: Wanted frame rate; None takes the video's frames as they are.
        pad: Fill up a video that is too short with numbers after its last frame: there it stands
            still and has no targets. Else it is an error.

    Example: `Windows(30, hop=1, fps=10).draw(video.source_times, rng)`
    """

    length: int
    hop: int = 1
    fps: float | None = None
    pad: bool = False

    def __post_init__(self) -> None:
        if self.length < 1 or self.hop < 1:
            raise ValueError(
                "`length` and `hop` must be at least 1. "
                f"Received: length={self.length}, hop={self.hop}"
            )

    @property
    def steps(self) -> int:
        """Frames of a sample."""
        return self.length

    def _frames(self, times: np.ndarray) -> np.ndarray:
        frames = resampled(times, self.fps)
        lacking = self.length - len(frames)
        if lacking > 0:
            if not self.pad or not len(frames):
                raise ValueError(
                    f"A video must have {self.length} frames for a window"
                    f"{advised('; `pad=True` lets it stand still at its end', '')}. "
                    f"Received: {len(frames)} frames"
                )
            frames = np.concatenate([frames, len(times) + np.arange(lacking)])
        return frames

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The frame numbers of one random sample, (length,)."""
        frames = self._frames(times)
        start = int(rng.integers(len(frames) - self.length + 1))
        return frames[start : start + self.length]

    def all(self, times: np.ndarray) -> np.ndarray:
        """The frame numbers of all samples, (n, length); the last one ends with the video."""
        frames = self._frames(times)
        last = len(frames) - self.length
        starts = np.append(np.arange(0, last, self.hop), last)
        return frames[starts[:, None] + np.arange(self.length)]

    def cover(self, times: np.ndarray, lag: int = 0) -> Iterator[tuple[np.ndarray, int]]:
        """Windows in which every frame but the first `lag` stands once after a window's `lag`th.

        Yields the frame numbers of each window, (length,), those after the video's end being
        padding, and how many frames after its first `lag` lie inside the video.
        """
        if not 0 <= lag < self.length:
            raise ValueError(
                f"`lag` must be below `length`. Received: lag={lag}, length={self.length}"
            )
        frames = resampled(times, self.fps)
        hop, total = self.length - lag, len(frames)
        for start in range(0, max(1, total - lag), hop):
            window = frames[start : start + self.length]
            lacking = self.length - len(window)
            padded = np.concatenate([window, len(times) + np.arange(lacking)])
            yield padded, max(0, min(hop, total - lag - start))


@dataclass(frozen=True)
class Segments:
    """Frames spread over the whole video: a snippet out of each of its equal parts (TSN).

    Args:
        count: Parts.
        length: Frames of a snippet.
        fps: Wanted frame rate; None takes the video's frames as they are.

    Reference: Wang et al., "Temporal segment networks", ECCV 2016.
    """

    count: int
    length: int = 1
    fps: float | None = None

    @property
    def steps(self) -> int:
        """Frames of a sample."""
        return self.count * self.length

    def __post_init__(self) -> None:
        if self.count < 1 or self.length < 1:
            raise ValueError(
                "`count` and `length` must be at least 1. "
                f"Received: count={self.count}, length={self.length}"
            )

    def _at(self, times: np.ndarray, share) -> np.ndarray:
        frames = resampled(times, self.fps)
        total = len(frames)
        if total < self.length:
            raise ValueError(
                f"A video must have the {self.length} frames of a snippet. Received: {total} frames"
            )
        edges = np.linspace(0, total - self.length + 1, self.count + 1)
        starts = np.floor(edges[:-1] + share * np.diff(edges)).astype(int)
        starts = np.minimum(starts, total - self.length)
        return frames[(starts[:, None] + np.arange(self.length)).reshape(-1)]

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A snippet at a random place of each part, (count * length,)."""
        return self._at(times, rng.random(self.count))

    def all(self, times: np.ndarray) -> np.ndarray:
        """The snippet in the middle of each part, (1, count * length)."""
        return self._at(times, 0.5)[None]
