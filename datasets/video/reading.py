"""Videos as numbered frames: files and folders, read one way."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np

from zoo.datasets.video.source import FileSource, FolderSource, VideoError

__all__ = ["Video", "VideoError", "open_video"]

MISSING_SHARE = 0.1  # headers err by a frame or two; a file that lacks a tenth was cut off


class Video:
    """A video file, a folder of frames or a video in shards, as frames numbered from 0.

    Frame i is the same picture whether it is streamed or read alone. The number of frames is
    what decodes, not what the header says; it costs one pass over the file, made when first
    needed. A wanted frame rate and a part of the video are reached by choosing frames: output
    frame k is the last frame whose time stamp is not after `start + k / fps`.

    Args:
        path: A video file, a folder of numbered pictures, or `SHARDS::NAME`.
        fps: Wanted frame rate; None keeps every frame.
        start: First second of the part that is read.
        end: Second at which that part ends.
        folder_fps: Frame rate of a folder of pictures, which has none of its own (default 25).
        allow_truncated: Read what there is of a file that ends before its header says.
        stamps: `Video.stamps` of the same file from an earlier opening; they save the pass over it.

    Example:
        video = open_video("clip.mp4", fps=25)
        for frame in video.frames(size=(112, 112)):  # (112, 112, 3) uint8 RGB
            ...
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        fps: float | None = None,
        start: float | None = None,
        end: float | None = None,
        folder_fps: float | None = None,
        allow_truncated: bool = False,
        stamps: np.ndarray | None = None,
    ):
        if fps is not None and not fps > 0:
            raise ValueError(f"`fps` must be above 0. Received: fps={fps}")
        if start is not None and end is not None and not end > start:
            raise ValueError(f"`end` must be after `start`. Received: start={start}, end={end}")
        self.path = os.fspath(path)
        self.allow_truncated = allow_truncated
        self._source = _source(self.path, folder_fps)
        self._wanted = (fps, start, end)
        self._chosen = fps is not None or start is not None or end is not None
        self._stamps = None if stamps is None else np.asarray(stamps, np.float64)
        self._indices: np.ndarray | None = None
        self.height, self.width = self._source.height, self._source.width
        self.source_fps = self._source.fps
        self.fps = float(fps) if fps else self._source.fps

    @property
    def num_frames(self) -> int:
        """Number of frames that can be read."""
        return len(self.source_indices)

    @property
    def source_indices(self) -> np.ndarray:
        """For every frame of this video, its number among all decoded frames of the file."""
        if self._indices is None:
            self._indices = self._choose(self.source_times)
        return self._indices

    @property
    def stamps(self) -> np.ndarray:
        """The time stamps of all decoded frames as the file has them, in seconds."""
        self._scan()
        return self._stamps

    @property
    def source_times(self) -> np.ndarray:
        """Seconds from the first frame, for every decoded frame of the file."""
        self._scan()
        if np.any(np.diff(self._stamps) <= 0):  # packed B-frames and files without stamps
            return np.arange(len(self._stamps)) / self.source_fps
        return self._stamps - self._stamps[0]

    def _scan(self) -> None:
        if self._stamps is None:
            stamps = self._source.scan()
            self._check_end(len(stamps), stamps)
            self._stamps = stamps

    def _check_end(self, count: int, stamps: np.ndarray | None = None) -> None:
        promised = self._source.promised
        if self.allow_truncated or promised - count <= max(2, MISSING_SHARE * promised):
            return
        if stamps is not None and count > 1:  # with a varying frame rate only time counts
            seconds = stamps.max() - stamps.min() + 1 / self.source_fps
            if seconds >= (1 - MISSING_SHARE) * promised / self.source_fps:
                return
        raise VideoError(
            "A video must not end before its header says; `allow_truncated=True` reads what there "
            f"is. Received: {self.path}, {count} frames of {promised}"
        )

    def _choose(self, times: np.ndarray) -> np.ndarray:
        fps, start, end = self._wanted
        if not self._chosen:
            return np.arange(len(times))
        begin = 0.0 if start is None else float(start)
        length = float(times[-1]) + 1 / self.source_fps
        finish = length if end is None else min(float(end), length)
        if fps is None:
            chosen = np.flatnonzero((times >= begin - 1e-6) & (times < finish - 1e-6))
        else:
            count = int(np.ceil((finish - begin) * fps - 1e-6))
            moments = begin + np.arange(max(count, 0)) / fps
            chosen = np.searchsorted(times, moments + 1e-6, side="right") - 1
        if not len(chosen):
            raise VideoError(
                f"The wanted part must lie inside the video of {length:.3f} s. Received: "
                f"{self.path}, start={start}, end={end}"
            )
        return np.maximum(chosen, 0)

    def frames(
        self, size: tuple[int, int] | None = None, start: int = 0, stop: int | None = None
    ) -> Iterator[np.ndarray]:
        """Stream frames `start` to `stop` (not included), (height, width, 3) uint8 RGB each.

        Memory does not grow with the video. `size` is (height, width).
        """
        if self._chosen or self._indices is not None or start > 0:
            indices: Iterator[int] = iter(self.source_indices[start:stop].tolist())
            expected = len(range(*slice(start, stop).indices(self.num_frames)))
        else:
            indices = itertools.count(start) if stop is None else iter(range(start, stop))
            expected = None
        given = 0
        for frame in self._source.walk(indices, size, self._stamps):
            given += 1
            yield frame
        if expected is None:
            if stop is None or given < stop:
                self._check_end(given)
        elif given != expected:
            raise VideoError(
                f"A video must not change while it is read. Received: {self.path}, frame {given} "
                f"of {expected} does not decode any more"
            )

    def read(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> np.ndarray:
        """Frames of any indices in any order: (n, height, width, 3) uint8 RGB."""
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        height, width = size or (self.height, self.width)
        out = np.empty((len(wanted), height, width, 3), np.uint8)
        if not len(wanted):
            return out
        order = np.argsort(wanted, kind="stable")
        scanned = self._chosen or self._stamps is not None
        if wanted.min() < 0 or (scanned and wanted.max() >= self.num_frames):
            self._refuse(wanted)
        sources = self.source_indices[wanted[order]] if scanned else wanted[order]
        done = 0
        for frame in self._source.walk(sources.tolist(), size, self._stamps):
            out[order[done]] = frame
            done += 1
        if done != len(wanted):
            self._refuse(wanted)
        return out

    def _refuse(self, wanted: np.ndarray) -> None:
        raise IndexError(
            f"Frame indices must be in [0, {self.num_frames}). Received: "
            f"{wanted.min()} to {wanted.max()} of {self.path}"
        )


def _source(path: str, folder_fps: float | None):
    if os.path.isdir(path):
        return FolderSource(path, folder_fps)
    if "::" in path and not os.path.exists(path):
        from zoo.datasets.shards.reading import ShardFrames

        return ShardFrames(path)
    return FileSource(path)


def open_video(
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    folder_fps: float | None = None,
    allow_truncated: bool = False,
    stamps: np.ndarray | None = None,
) -> Video:
    """Open a video file or a folder of frames; a `VideoError` names what cannot be read."""
    return Video(
        path,
        fps=fps,
        start=start,
        end=end,
        folder_fps=folder_fps,
        allow_truncated=allow_truncated,
        stamps=stamps,
    )
