"""Videos as numbered frames: files and folders, read one way."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from zoo.datasets.video.animation_source import AnimationSource, is_animated_webp
from zoo.datasets.video.errors import VideoError
from zoo.datasets.video.file_source import FileSource
from zoo.datasets.video.frame_index import Damage, FrameIndex, describe_damage
from zoo.datasets.video.source import FolderSource

__all__ = ["FrameRateWarning", "Video", "VideoError", "open_record", "open_video"]


class FrameRateWarning(UserWarning):
    """Seconds that rest on a frame rate which nothing states."""


class Video:
    """A video file, a folder of frames or a video in shards, as frames numbered from 0.

    Frame i is the same picture whether it is streamed or read alone. The number of frames is
    what decodes, not what the header says; it costs one pass over the file, made when first
    needed. The times are the stream's own time stamps. A wanted frame rate and a part of the
    video are reached by choosing frames: output frame k is the last frame whose time stamp is not
    after `start + k / fps`.

    A damaged packet costs that packet: the frames around it are read, and `damage` names each
    place. Frames are turned upright as the file asks; the two fields of an interlaced frame stay
    woven; colours follow the matrix and range that the stream is tagged with; an alpha channel is
    left out; pixels stay as they are stored, and `sample_aspect` says how wide they are shown.

    Args:
        path: A video file, a folder of numbered pictures, or `SHARDS::NAME`.
        fps: Wanted frame rate; None keeps every frame.
        start: First second of the part that is read.
        end: Second at which that part ends.
        folder_fps: Frame rate of a folder of pictures, which has none of its own; None assumes 25
            and warns where seconds are asked for.
        allow_truncated: Read what there is of a file that ends before its header says.
        strict: Refuse a file that is damaged.
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
        strict: bool = False,
        stamps: np.ndarray | None = None,
    ):
        if fps is not None and not fps > 0:
            raise ValueError(f"`fps` must be above 0. Received: fps={fps}")
        if folder_fps is not None and not folder_fps > 0:
            raise ValueError(f"`folder_fps` must be above 0. Received: folder_fps={folder_fps}")
        if start is not None and end is not None and not end > start:
            raise ValueError(f"`end` must be after `start`. Received: start={start}, end={end}")
        self.path = os.fspath(path)
        self.allow_truncated = allow_truncated
        self.strict = strict
        self._source = _source(self.path, folder_fps, stamps)
        self._wanted = (fps, start, end)
        self._chosen = fps is not None or start is not None or end is not None
        self._index: FrameIndex | None = None
        self._indices: np.ndarray | None = None
        self.height, self.width = self._source.height, self._source.width
        self.sample_aspect: Fraction = self._source.sample_aspect
        self.rate_known: bool = self._source.rate_known
        self._warned = False

    @property
    def fps(self) -> float:
        """Frames a second: the wanted rate, or the video's own."""
        return float(self._wanted[0]) if self._wanted[0] else self.source_fps

    @property
    def source_fps(self) -> float:
        """Frames a second of the file; warns where nothing states it."""
        if not self.rate_known and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.path} does not state its frame rate: {self._source.fps:g} frames a second "
                "are assumed. A folder's rate is given as `folder_fps`, or in the column `fps` of "
                "a table.",
                FrameRateWarning,
                stacklevel=3,
            )
        return self._source.fps

    @property
    def time_resolution(self) -> float:
        """Seconds of the smallest step between two time stamps of the file."""
        return self._source.tick

    @property
    def num_frames(self) -> int:
        """Number of frames that can be read."""
        return len(self.source_indices)

    @property
    def source_indices(self) -> np.ndarray:
        """For every frame of this video, its number among all decoded frames of the file."""
        if self._indices is None:
            self._indices = self._choose(self.index)
        return self._indices

    @property
    def stamps(self) -> np.ndarray:
        """The time stamps of all decoded frames as the file has them, in seconds.

        All 0 where they do not tell the frames apart.
        """
        return self.index.stamps

    @property
    def source_times(self) -> np.ndarray:
        """Seconds from the first frame, for every decoded frame of the file."""
        times = self.index.times
        _ = self.source_fps  # an assumed rate is told
        return times

    @property
    def times(self) -> np.ndarray:
        """Seconds from this video's first frame, for every frame of it."""
        return self.edges[:-1]

    @property
    def edges(self) -> np.ndarray:
        """`times`, and the second at which the last frame ends: (num_frames + 1,)."""
        if self._wanted[0] is not None:
            return np.arange(self.num_frames + 1) / self._wanted[0]
        starts = np.append(self.source_times, self.index.end)
        chosen = self.source_indices
        return np.append(starts[chosen], starts[chosen[-1] + 1]) - starts[chosen[0]]

    @property
    def index(self) -> FrameIndex:
        """What a pass over the file tells of its frames; made when first needed."""
        if self._index is None:
            index = self._source.scan()
            self._check_index(index)
            self._index = index
        return self._index

    @property
    def damage(self) -> tuple[Damage, ...]:
        """The places of the file that did not decode as they were written."""
        index = self._source.scan()
        if index.damage is None:  # time stamps of an earlier pass alone are known
            index = self._source.scan(anew=True)
        return index.damage or ()

    def require_whole(self) -> None:
        """Refuse a damaged file with a `VideoError`, as `strict` does."""
        if self.damage:
            raise VideoError(
                "A video must not be damaged where `strict` is asked for. Received: "
                f"{self.path}, {describe_damage(self.damage)}"
            )

    @property
    def header_frames(self) -> int:
        """The number of frames that the file's header states; 0 where it states none."""
        return self._source.promised.frames

    def _check_index(self, index: FrameIndex) -> None:
        if self.strict:
            self.require_whole()
        if index.damage is None:
            return  # stamps of an earlier pass, which has checked them
        promised = self._source.promised
        if not self.allow_truncated and not promised.kept(index):
            raise VideoError(
                "A video must not end before its header says; `allow_truncated=True` reads what "
                f"there is. Received: {self.path}, {promised.told(index)}"
            )

    def _choose(self, index: FrameIndex) -> np.ndarray:
        fps, start, end = self._wanted
        if not self._chosen:
            return np.arange(len(index))
        times, length = self.source_times, index.end
        begin = 0.0 if start is None else float(start)
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
        if self._chosen or self._index is not None or self.strict or start > 0:
            indices: Iterator[int] = iter(self.source_indices[start:stop].tolist())
            expected = len(range(*slice(start, stop).indices(self.num_frames)))
        else:
            indices = itertools.count(start) if stop is None else iter(range(start, stop))
            expected = None
        given = 0
        for frame in self._source.walk(indices, size):
            given += 1
            yield frame
        if expected is None:
            if stop is None or given < stop:
                _ = self.index  # of the pass that was made: checks that it is whole
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
        scanned = self._chosen or self._index is not None or self.strict
        if wanted.min() < 0 or (scanned and wanted.max() >= self.num_frames):
            self._refuse(wanted)
        sources = self.source_indices[wanted[order]] if scanned else wanted[order]
        done = 0
        for frame in self._source.walk(sources.tolist(), size):
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


def _source(path: str, folder_fps: float | None, stamps: np.ndarray | None):
    if os.path.isdir(path):
        return FolderSource(path, folder_fps)
    if "::" in path and not os.path.exists(path):
        from zoo.datasets.shards.reading import ShardFrames

        return ShardFrames(path)
    if is_animated_webp(path):
        return AnimationSource(path)
    return FileSource(path, stamps)


def open_video(
    path: str | os.PathLike,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
    folder_fps: float | None = None,
    allow_truncated: bool = False,
    strict: bool = False,
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
        strict=strict,
        stamps=stamps,
    )


def open_record(record: Any, **options: Any) -> Video:
    """Open the video of a `zoo.datasets.record.Record`: its part, at its folder's frame rate.

    Args:
        record: The record.
        options: Of `open_video`.

    Example: `open_record(record, fps=10).read([0, 1])`.
    """
    return open_video(
        record.video, start=record.start, end=record.end, folder_fps=record.fps, **options
    )
