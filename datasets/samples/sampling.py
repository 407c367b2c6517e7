"""Choice of the frames that make up a sample, before anything is decoded.

A sampling maps the time stamps of a video's frames (in seconds, one per frame) to frame numbers.
It can therefore sample at a requested frame rate from videos of any, even varying, frame rate: the
frame at time t is the last one whose time stamp is not after t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zoo.datasets.video.choice import chosen_frames
from zoo.files.interface import advised


def resampled(times: np.ndarray, fps: float | None) -> np.ndarray:
    """Frame numbers that sample a video at a given frame rate, beginning with its first frame.

    Args:
        times: (frames,) time stamps in seconds.
        fps: Frames per second; None takes every frame.

    Returns:
        Frame numbers; a number is repeated where `fps` is higher than the video's own rate.

    Raises:
        ValueError: `fps` is not above 0.

    Example: `resampled(np.arange(25) / 25, fps=5)` is `[0, 5, 10, 15, 20]`.
    """
    times = np.asarray(times, np.float64)
    if fps is None:
        return np.arange(len(times))
    if not fps > 0:
        raise ValueError(f"`fps` must be above 0. Received: fps={fps}")
    if not len(times):
        return np.arange(0)
    frame = np.median(np.diff(times)) if len(times) > 1 else 1 / fps
    # The last frame is shown for a while, too.
    return chosen_frames(times, times[-1] + frame, fps=fps)


@dataclass(frozen=True)
class Windows:
    """Samples of consecutive frames, such as clips of 16 or blocks of 30 at 10 frames per second.

    Args:
        length: Number of frames in a sample.
        hop: Number of frames between the starts of successive samples (used by `all`).
        fps: Frame rate to sample at; None uses the video's own frames.
        pad: Pad a video that is too short with frame numbers past its end; there its last frame
            is repeated, without targets. False: a video that is too short is an error.

    Raises:
        ValueError: `length` or `hop` is below 1, or (on sampling) the video is too short.

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
                    f"A video must have at least the {self.length} frames of a window"
                    f"{advised('; `pad=True` repeats the last frame of shorter ones', '')}. "
                    f"Received: {len(frames)} frames"
                )
            frames = np.concatenate([frames, len(times) + np.arange(lacking)])
        return frames

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Frame numbers of one random sample, (length,)."""
        frames = self._frames(times)
        start = int(rng.integers(len(frames) - self.length + 1))
        return frames[start : start + self.length]

    def all(self, times: np.ndarray) -> np.ndarray:
        """Frame numbers of all samples, (n, length); the last sample ends with the video."""
        frames = self._frames(times)
        last = len(frames) - self.length
        starts = np.append(np.arange(0, last, self.hop), last)
        return frames[starts[:, None] + np.arange(self.length)]

    def cover(self, times: np.ndarray, lag: int = 0) -> Iterator[tuple[np.ndarray, int]]:
        """Windows for a model that gives no output for the first `lag` frames of its input.

        Consecutive windows overlap by `lag` frames, so that every frame of the video but the
        first `lag` gets exactly one output.

        Yields:
            The frame numbers of a window, (length,), padded with numbers past the video's end,
            and the number of its outputs that lie inside the video.
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
    """Samples spread over the whole video: one snippet from each of its equal parts (TSN).

    Args:
        count: Number of parts.
        length: Number of consecutive frames in a snippet.
        fps: Frame rate to sample at; None uses the video's own frames.

    Raises:
        ValueError: `count` or `length` is below 1, or (on sampling) the video is shorter than a
            snippet.

    Example: `Segments(3, length=5).all(video.source_times)`  # (1, 15)

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

    def _at(self, times: np.ndarray, position) -> np.ndarray:
        frames = resampled(times, self.fps)
        total = len(frames)
        if total < self.length:
            raise ValueError(
                f"A video must have at least the {self.length} frames of a snippet. "
                f"Received: {total} frames"
            )
        edges = np.linspace(0, total - self.length + 1, self.count + 1)
        starts = np.floor(edges[:-1] + position * np.diff(edges)).astype(int)
        starts = np.minimum(starts, total - self.length)
        return frames[(starts[:, None] + np.arange(self.length)).reshape(-1)]

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Frame numbers of a snippet at a random position in each part, (count * length,)."""
        return self._at(times, rng.random(self.count))

    def all(self, times: np.ndarray) -> np.ndarray:
        """Frame numbers of the snippet in the middle of each part, (1, count * length)."""
        return self._at(times, 0.5)[None]
