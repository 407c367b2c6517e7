"""Videos as numbered frames: one interface for files, folders and shards."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from zoo.datasets.video.aligned import aligned_empty
from zoo.datasets.video.animation_source import AnimationSource, is_animated_webp
from zoo.datasets.video.choice import chosen_frames
from zoo.datasets.video.errors import VideoError
from zoo.datasets.video.file_source import FileSource
from zoo.datasets.video.frame_index import Damage, FrameIndex, describe_damage
from zoo.datasets.video.source import FolderSource
from zoo.files.interface import advised

__all__ = ["FrameRateWarning", "Video", "VideoError", "open_record", "open_video"]


class FrameRateWarning(UserWarning):
    """Times are computed from an assumed frame rate, because the video does not state one."""


class Video:
    """A video file, a folder of frames or a video in shards, as frames numbered from 0.

    Frame i is the same picture whether frames are streamed or read singly. The number of frames
    is the number that decode, not the header's; it takes one pass over the file, made when first
    needed. Times are the stream's own time stamps. `fps`, `start` and `end` select frames: output
    frame k is the last frame whose time stamp is not after `start + k / fps`.

    A damaged packet does not affect the frames around it; `damage` lists the damaged places.
    Frames are rotated as the file asks. Interlaced frames are not deinterlaced. Colours follow
    the matrix and range that the stream is tagged with; an alpha channel is dropped. Pixels are
    not resampled; `sample_aspect` is the width of a pixel divided by its height.

    Args:
        path: A video file, a folder of numbered pictures, or `SHARDS::NAME`.
        fps: Frame rate at which to sample the video; None keeps every frame.
        start: Time in seconds at which to start; None: at the first frame.
        end: Time in seconds at which to end, not included; None: with the last frame.
        folder_fps: Frame rate of a folder of pictures or of a stream without a container (.h264),
            which do not state one; None assumes 25 and warns if times are needed.
        allow_truncated: Accept a file that ends earlier than its header states.
        strict: Raise an error if the file is damaged.
        stamps: `Video.stamps` from an earlier opening of the same file, to avoid the pass over it.

    Raises:
        ValueError: An argument is out of range.
        VideoError: The video is missing or cannot be read, or `folder_fps` is given for one that
            states its frame rate.

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
        self.states_rate: bool = self._source.states_rate
        self.rate_known = self.states_rate or folder_fps is not None
        if self.states_rate and folder_fps is not None:
            raise VideoError(
                "A frame rate can be given only for a video that does not state its own; leave it "
                f"out. Received: {folder_fps:g} for {self.path}, which states {self._source.fps:g}"
            )
        self._warned = False

    @property
    def fps(self) -> float:
        """Frames per second: the requested rate, or the video's own."""
        return float(self._wanted[0]) if self._wanted[0] else self.source_fps

    @property
    def source_fps(self) -> float:
        """Frames per second of the file; warns if the rate is only assumed."""
        if not self.rate_known and not self._warned:
            self._warned = True
            option = advised("`folder_fps` (in `zoo.predict` with `fps`)", "--fps of `zoo predict`")
            warnings.warn(
                f"{self.path} does not state its frame rate; {self._source.fps:g} frames per "
                f"second are assumed. Set the rate with {option}, or in the column `fps` of a "
                "table.",
                FrameRateWarning,
                stacklevel=3,
            )
        return self._source.fps

    @property
    def time_resolution(self) -> float:
        """Resolution of the file's time stamps, in seconds."""
        return self._source.tick

    @property
    def num_frames(self) -> int:
        """Number of frames that can be read."""
        return len(self.source_indices)

    @property
    def source_indices(self) -> np.ndarray:
        """(num_frames,) number of each frame among all decoded frames of the file."""
        if self._indices is None:
            self._indices = self._choose(self.index)
        return self._indices

    @property
    def stamps(self) -> np.ndarray:
        """Time stamps of all decoded frames as stored in the file, in seconds.

        All 0 if they are missing or not increasing.
        """
        return self.index.stamps

    @property
    def source_times(self) -> np.ndarray:
        """Seconds after the first frame, for each decoded frame of the file."""
        times = self.index.times
        _ = self.source_fps  # warns of an assumed rate
        return times

    @property
    def times(self) -> np.ndarray:
        """(num_frames,) seconds after this video's first frame."""
        return self.edges[:-1]

    @property
    def edges(self) -> np.ndarray:
        """(num_frames + 1,) `times`, followed by the time at which the last frame ends."""
        if self._wanted[0] is not None:
            return np.arange(self.num_frames + 1) / self._wanted[0]
        starts = np.append(self.source_times, self.index.end)
        chosen = self.source_indices
        return np.append(starts[chosen], starts[chosen[-1] + 1]) - starts[chosen[0]]

    @property
    def index(self) -> FrameIndex:
        """The index of the file's frames; takes a pass over the file when first needed."""
        if self._index is None:
            index = self._source.scan()
            self._check_index(index)
            self._index = index
        return self._index

    @property
    def damage(self) -> tuple[Damage, ...]:
        """The damaged places of the file."""
        index = self._source.scan()
        if index.damage is None:  # only the time stamps of an earlier pass are known
            index = self._source.scan(anew=True)
        return index.damage or ()

    def require_whole(self) -> None:
        """Raise a `VideoError` if the file is damaged, as with `strict`."""
        if self.damage:
            raise VideoError(
                "A video must not be damaged with `strict=True`. Received: "
                f"{self.path}, {describe_damage(self.damage)}"
            )

    @property
    def header_frames(self) -> int:
        """The number of frames according to the file's header; 0 if not stated."""
        return self._source.promised.frames

    def _check_index(self, index: FrameIndex) -> None:
        if self.strict:
            self.require_whole()
        if index.damage is None:
            return  # the time stamps come from an earlier pass, which made this check
        promised = self._source.promised
        if not self.allow_truncated and not promised.kept(index):
            raise VideoError(
                "A video must be as long as its header states; `allow_truncated=True` accepts a "
                f"shorter one. Received: {self.path}, {promised.describe(index)}"
            )

    def _choose(self, index: FrameIndex) -> np.ndarray:
        fps, start, end = self._wanted
        if not self._chosen:
            return np.arange(len(index))
        chosen = chosen_frames(self.source_times, index.end, fps=fps, start=start, end=end)
        if not len(chosen):
            raise VideoError(
                f"`start` and `end` must select a part inside the video of {index.end:.3f} s. "
                f"Received: {self.path}, start={start}, end={end}"
            )
        return chosen

    def frames(
        self, size: tuple[int, int] | None = None, start: int = 0, stop: int | None = None
    ) -> Iterator[np.ndarray]:
        """Stream frames, (height, width, 3) uint8 RGB; memory usage does not grow with the length.

        Args:
            size: (height, width) to which frames are resized; None keeps their size.
            start, stop: First frame, and the frame after the last; None: up to the end.

        Raises:
            ValueError: An argument is out of range; raised at once.
            VideoError: A frame cannot be read.
        """
        _check_size(size)
        if start < 0 or (stop is not None and stop < start):
            raise ValueError(
                "`start` must be 0 or more, and `stop` not before it. "
                f"Received: start={start}, stop={stop}"
            )
        return self._frames(size, start, stop)

    def _frames(self, size, start: int, stop: int | None) -> Iterator[np.ndarray]:
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
                _ = self.index  # known by now; checks that the video is complete
        elif given != expected:
            raise VideoError(
                f"A video must not change while it is read. Received: {self.path}, frame {given} "
                f"of {expected} no longer decodes"
            )

    def read(self, indices: Sequence[int], size: tuple[int, int] | None = None) -> np.ndarray:
        """Read frames by their numbers, in any order: (n, height, width, 3) uint8 RGB.

        Raises:
            ValueError: `size` is not two positive numbers.
            IndexError: There is no such frame.
            VideoError: A frame cannot be read.
        """
        _check_size(size)
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        height, width = size or (self.height, self.width)
        out = aligned_empty((len(wanted), height, width, 3), np.uint8)
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


def _check_size(size: tuple[int, int] | None) -> None:
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f"`size` must be (height, width), at least 1 each. Received: size={size}")


def _source(path: str, folder_fps: float | None, stamps: np.ndarray | None):
    if os.path.isdir(path):
        return FolderSource(path, folder_fps)
    if "::" in path and not os.path.exists(path):
        from zoo.datasets.shards.frames import ShardFrames

        return ShardFrames(path)
    if is_animated_webp(path):
        return AnimationSource(path)
    return FileSource(path, stamps, folder_fps)


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
    """Open a video file, a folder of frames or a video in shards; arguments are as in `Video`.

    Raises:
        VideoError: The video is missing or cannot be read.

    Example: `open_video("clip.mp4", fps=10).read([0, 1, 2])`  # (3, height, width, 3)
    """
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
    """Open the video of a `zoo.datasets.record.Record` with its `start`, `end` and `fps`.

    Args:
        record: The record.
        options: Other arguments of `open_video`.

    Example: `open_record(record, fps=10).read([0, 1])`
    """
    return open_video(
        record.video, start=record.start, end=record.end, folder_fps=record.fps, **options
    )
