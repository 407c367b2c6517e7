"""Frames in memory, with the interface of a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from zoo.datasets.video.source import resize

FPS = 25.0


class ArrayVideo:
    """A video in an array, with the methods of `zoo.datasets.video.Video` that models need.

    Args:
        frames: (time, height, width, 3), or one picture (height, width, 3); RGB from 0 to 255.
            Floats are rounded.
        fps: frames per second; None: 25 fps is assumed.
        path: name used for the video.

    Example: `zoo.predict(np.zeros((30, 90, 160, 3), "uint8"), model)` creates one.
    """

    def __init__(self, frames: np.ndarray, *, fps: float | None = None, path: str = "array"):
        self._frames = _checked(np.asarray(frames))
        self.rate_known = fps is not None
        self.fps = float(fps or FPS)
        self.sample_aspect, self.damage = Fraction(1), ()
        self.path = path
        self.num_frames, self.height, self.width = self._frames.shape[:3]

    @property
    def edges(self) -> np.ndarray:
        """Time in seconds at which each frame is shown, followed by the end of the last one."""
        return np.arange(self.num_frames + 1) / self.fps

    @property
    def times(self) -> np.ndarray:
        """Time in seconds at which each frame is shown."""
        return self.edges[:-1]

    def require_whole(self) -> None:
        """Do nothing: memory is never damaged. See `zoo.datasets.video.Video.require_whole`."""

    def frames(
        self, size: tuple[int, int] | None = None, start: int = 0, stop: int | None = None
    ) -> Iterator[np.ndarray]:
        """Yield frames `start` to `stop` (exclusive), one by one; `size` is (height, width)."""
        for frame in self._frames[start:stop]:
            yield frame if size is None else resize(frame, size)

    def read(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> np.ndarray:
        """Return the frames at the given indices, in any order: (n, height, width, 3)."""
        wanted = np.asarray(indices, np.int64).reshape(-1)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < self.num_frames):
            raise IndexError(
                f"Frame indices must be in [0, {self.num_frames}). Received: {wanted.min()} to "
                f"{wanted.max()} of {self.path}"
            )
        chosen = self._frames[wanted]
        return chosen if size is None else np.stack([resize(frame, size) for frame in chosen])


def checked_frame(frame: np.ndarray, number: int) -> np.ndarray:
    """Validate a frame of a stream, the `number`-th, and return it as uint8 (height, width, 3)."""
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[-1] != 3:
        shape = getattr(frame, "shape", None)
        raise ValueError(
            "A frame of a stream must be an array (height, width, 3) of RGB values. Received: "
            f"{type(frame).__name__}{'' if shape is None else f' of shape {shape}'} as frame "
            f"{number}"
        )
    if frame.dtype == np.uint8:
        return frame
    try:
        return _checked(frame)[0]
    except ValueError as error:
        raise ValueError(f"{error}, as frame {number}") from error


def _checked(frames: np.ndarray) -> np.ndarray:
    """Validate the frames and return them as uint8 (time, height, width, 3)."""
    if frames.ndim == 3:
        frames = frames[None]
    if frames.ndim != 4 or frames.shape[-1] != 3 or min(frames.shape) < 1:
        raise ValueError(
            "An array of a video must have the shape (time, height, width, 3), of a picture "
            f"(height, width, 3). Received: shape={frames.shape}"
        )
    if frames.dtype == np.uint8:
        return np.ascontiguousarray(frames)
    if frames.dtype.kind not in "fiu":
        raise ValueError(f"An array of a video must hold numbers. Received: dtype={frames.dtype}")
    lowest, highest = float(frames.min()), float(frames.max())
    if not (lowest >= 0.0 and highest <= 255.0):  # also catches NaN
        raise ValueError(
            "An array of a video must hold RGB values from 0 to 255. "
            f"Received: values from {lowest:g} to {highest:g}"
        )
    if frames.dtype.kind == "f" and 0.0 < highest <= 1.0:
        raise ValueError(
            "An array of a video must hold RGB values from 0 to 255; multiply by 255. "
            f"Received: floats from {lowest:g} to {highest:g}"
        )
    return np.ascontiguousarray(np.rint(frames).astype(np.uint8))
