"""Reading the frames of a video file."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from zoo.datasets.video.decoder import Decoder, Turner, rgb_picture
from zoo.datasets.video.errors import VideoError
from zoo.datasets.video.frame_index import Damage, FrameIndex
from zoo.datasets.video.promise import Promise, header_promise
from zoo.datasets.video.resizing import in_order, resize
from zoo.files.file_state import file_state

SEEK_GAP = 12  # number of frames that are decoded in the time of a seek
UNSTAMPED = ("mjpeg",)  # streams without a container, for which FFmpeg assumes a frame rate
REMEMBERED = 1024  # number of files whose index is kept in memory

# The last opened file with its first frame. Most files are read as soon as they are opened, and
# opening takes as long as decoding about ten frames. Kept for each thread, because threads read in
# parallel, and for each process, because a forked process must not share the file position, nor
# close the file: it would wait for decoding threads that it does not have.
_LAST_OPENED: dict[
    tuple[int, int], tuple[str, Decoder, Iterator[av.VideoFrame], av.VideoFrame]
] = {}
_LOCAL = threading.local()  # one reformatter for each thread
_INDICES: OrderedDict[tuple, FrameIndex] = OrderedDict()


def forget() -> None:
    """Drop everything that this process remembers about files, and close the open one."""
    _INDICES.clear()
    held = _LAST_OPENED.pop(_here(), None)
    if held is not None:
        held[1].close()


class FileSource:
    """Frames of a video file, numbered in display order.

    Args:
        path: The file.
        stamps: Time stamps of its frames (`FrameIndex.stamps`), if known; otherwise they are
            determined when needed.
        fps: Frame rate of a stream without a container, which does not state one; None assumes 25.

    Attributes:
        height, width: Size of the frames after the rotation that the file asks for.
        sample_aspect: Width of a pixel divided by its height.
        fps: The stream's frame rate.
        states_rate: Whether the file states when its frames are shown.
        tick: The stream's unit of time in seconds.
        promised: The video's length according to the header.
    """

    def __init__(self, path: str, stamps: np.ndarray | None = None, fps: float | None = None):
        self.path = path
        self._given = fps
        self._state = (*_state(path), fps)
        decoder = self._open()
        frames = decoder.frames()
        first = next(frames, None)
        stream = decoder.stream
        self.promised: Promise = header_promise(decoder.container, stream)
        if first is None:
            what = f": {decoder.faults[0][2]}" if decoder.faults else ""
            decoder.close()
            raise VideoError(f"A video must have at least one frame. Received: {path}{what}")
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        stamped = first.pts is not None and decoder.container.format.name not in UNSTAMPED
        self.states_rate = bool(rate) and 0 < rate < 10_000 and stamped
        self.fps = float(rate) if rate and 0 < rate < 10_000 else 25.0
        if fps is not None and not self.states_rate:
            self.fps = float(fps)
        self.turner = Turner(first)
        self._coded = (first.height, first.width)
        self.height, self.width = self.turner.shape(*self._coded)
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
        self.sample_aspect = self.turner.aspect(aspect)
        self.tick = float(stream.time_base)
        self.index = _INDICES.get(self._state)
        if self.index is None and stamps is not None:
            self.index = FrameIndex.of(stamps, self.fps, self.tick)
        if decoder.faults:
            decoder.close()
        else:
            _LAST_OPENED[_here()] = path, decoder, frames, first

    def _open(self, single: bool = False) -> Decoder:
        if not os.path.isfile(self.path):
            raise VideoError(f"A video must exist. Received: {self.path}")
        size = os.path.getsize(self.path)
        if size == 0:
            raise VideoError(f"A video file must not be empty. Received: {self.path} of 0 bytes")
        try:
            return Decoder(self.path, single=single)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(
                "A video file must be readable by FFmpeg; this one may be cut off, or in a format "
                "that FFmpeg does not support. Received: "
                f"{self.path} of {size} bytes: {error.strerror}"
            ) from error

    def scan(self, anew: bool = False) -> FrameIndex:
        """The index of the frames; `anew` makes a pass over the file even if it is known."""
        if self.index is None or anew:
            for _ in self._pass():
                pass
        return self.index

    def walk(
        self, indices: Iterable[int], size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the frames of non-decreasing `indices`; stop after the last existing frame.

        If the index is known, large gaps are skipped by seeking to a key frame, which is
        identified by its time stamp.
        """
        known = self.index is not None
        chosen = self._sought(indices) if known else _chosen(self._pass(), indices)
        with contextlib.closing(chosen):
            pixels = self._coded[0] * self._coded[1]
            yield from in_order(chosen, lambda frame: self._picture(frame, size), pixels)

    def _picture(self, frame: av.VideoFrame, size: tuple[int, int] | None) -> np.ndarray:
        if (frame.height, frame.width) != self._coded:
            raise VideoError(
                "All frames of a video must have the same size. Received: "
                f"{self.path}, {self._coded[1]}x{self._coded[0]} and {frame.width}x{frame.height}"
            )
        if not hasattr(_LOCAL, "reformatter"):
            _LOCAL.reformatter = VideoReformatter()
        picture = self.turner(rgb_picture(frame, _LOCAL.reformatter))
        return np.ascontiguousarray(picture if size is None else resize(picture, size))

    def _pass(self) -> Generator[av.VideoFrame, None, None]:
        """Yield all frames, and build the index on the way.

        At the first sign of damage, decoding starts again in a single thread, and frames already
        yielded are skipped: with several threads, the result of damaged packets varies.
        """
        given, single = 0, False
        while True:
            decoder, frames = self._begin(single)
            notes = _Notes()
            try:
                for frame in frames:
                    if decoder.faults and not single:
                        break
                    if notes.add(frame) > given:
                        given += 1
                        yield frame
                index = notes.index(decoder, self.fps)
                if single or not (index.damage or notes.short(decoder)):
                    self._remember(index)
                    return
            finally:
                decoder.close()
            single = True

    def _begin(self, single: bool = False) -> tuple[Decoder, Iterator[av.VideoFrame]]:
        path, decoder, frames, first = _LAST_OPENED.pop(_here(), (None,) * 4)
        if path == self.path and not single:
            return decoder, _after(first, frames)
        if decoder is not None:
            decoder.close()
        decoder = self._open(single)
        return decoder, decoder.frames()

    def _remember(self, index: FrameIndex) -> None:
        if self._given is not None:
            count = len(index)
            times, end = np.arange(count) / self.fps, count / self.fps
            index = dataclasses.replace(index, times=times, end=end, stamped=False)
        self.index = index
        _INDICES[self._state] = index
        while len(_INDICES) > REMEMBERED:
            _INDICES.popitem(last=False)

    def _sought(self, indices: Iterable[int]) -> Generator[av.VideoFrame, None, None]:
        """The frames of `indices`; large gaps are skipped by seeking."""
        position, frame, single = -1, None, bool(self.index.damage)
        decoder, frames = self._begin(single)
        try:
            for wanted in indices:
                if wanted - position > SEEK_GAP and not decoder.faults:
                    found = self._seek(decoder, position, wanted)
                    if found is not None:
                        frames, position = found
                    elif decoder.lost:
                        decoder, frames, position = self._again(decoder, single)
                while position < wanted:
                    frame = next(frames, None)
                    if decoder.faults and not single:  # damage that was unknown so far
                        single = True
                        decoder, frames, position = self._again(decoder, single)
                        continue
                    if frame is None:
                        return
                    position += 1
                yield frame
        finally:
            decoder.close()

    def _again(self, decoder: Decoder, single: bool) -> tuple[Decoder, Iterator, int]:
        decoder.close()
        decoder = self._open(single)
        return decoder, decoder.frames(), -1

    def _seek(
        self, decoder: Decoder, position: int, wanted: int
    ) -> tuple[Iterator[av.VideoFrame], int] | None:
        """Seek to a key frame: the frames from there on, and the number of the frame before.

        The key frame must have exactly the time stamp of an indexed frame between `position` and
        `wanted`; otherwise the result is None.
        """
        aim = self._key_before(decoder, wanted)
        for _ in range(2):
            if aim - position <= SEEK_GAP:
                return None
            frames = decoder.seek(int(self.index.ticks[aim]))
            first = next(frames, None)
            landed = -1 if first is None else self.index.number(first.pts)
            if position < landed <= wanted and first.key_frame:
                decoder.lost = False
                return _after(first, frames), landed - 1
            aim = self._key_before(decoder, aim - 1)
        return None

    def _key_before(self, decoder: Decoder, frame: int) -> int:
        """The last frame up to `frame` at which decoding can start; -1 if none is known."""
        index = self.index
        if index.ticks is None or index.damage or frame < 0:
            return -1  # how a damaged frame decodes depends on the frames before it
        if index.keys is not None:
            at = int(np.searchsorted(index.keys, frame, side="right")) - 1
            return int(index.keys[at]) if at >= 0 else -1
        ticks = decoder.key_before(int(index.ticks[frame]))
        if ticks is None:
            return -1
        return min(frame, int(np.searchsorted(index.ticks, ticks)))


class _Notes:
    """Facts about the frames, collected during a pass over the file."""

    def __init__(self):
        self.stamps: list[int | None] = []
        self.keys: list[int] = []
        self.interlaced = 0
        self.last: av.VideoFrame | None = None

    def add(self, frame: av.VideoFrame) -> int:
        """Record a frame; return the number of frames so far."""
        stamps = self.stamps
        if frame.key_frame:
            self.keys.append(len(stamps))
        stamps.append(frame.pts)
        self.interlaced += frame.interlaced_frame
        self.last = frame
        return len(stamps)

    def index(self, decoder: Decoder, fps: float) -> FrameIndex:
        tick, ticks = float(decoder.stream.time_base), None
        first = self.stamps[0] if self.stamps and self.stamps[0] is not None else 0
        if None not in self.stamps:
            ticks = np.asarray(self.stamps, np.int64)
        if ticks is None or np.any(np.diff(ticks) <= 0):  # packed B-frames or no time stamps
            times, ticks = np.arange(len(self.stamps)) / fps, None
        else:
            times = (ticks - first) * tick
        lasts = self.last.duration * tick if self.last is not None else 0
        faults = [*decoder.faults, *self._lost(decoder, ticks)]
        known = ticks is not None
        damage = [
            Damage(frame, None if stamp is None or not known else (stamp - first) * tick, what)
            for frame, stamp, what in sorted(faults, key=lambda fault: fault[0])
        ]
        return FrameIndex(
            times=times,
            end=float(times[-1]) + (lasts if lasts > 0 else 1 / fps) if len(times) else 0.0,
            ticks=ticks,
            keys=np.asarray(self.keys, np.int64),
            damage=tuple(damage),
            interlaced=self.interlaced,
            first=first * tick,
            stamped=ticks is not None,
        )

    def short(self, decoder: Decoder) -> bool:
        """Whether frames are lost, and missing time stamps make it unclear which.

        Some files have one or two packets without a frame of their own.
        """
        missing = len(decoder.stamps) - len(self.stamps)
        return None in self.stamps and missing > 2 + len(self.stamps) // 100

    def _lost(self, decoder: Decoder, ticks: np.ndarray | None) -> list[tuple[int, int, str]]:
        """Packets that gave no frame; known only if each packet has a time stamp of its own.

        In an interlaced stream a packet may be a single field. Packets before the first frame
        belong to a frame that was cut off.
        """
        sent = decoder.stamps
        if ticks is None or self.interlaced or None in sent or len(set(sent)) != len(sent):
            return []
        reported = {stamp for _, stamp, _ in decoder.faults}
        lost = sorted(set(sent) - set(ticks.tolist()) - reported)
        lost = [stamp for stamp in lost if stamp > ticks[0]]
        return [
            (int(np.searchsorted(ticks, stamp)), stamp, "packet without a picture")
            for stamp in lost
        ]


def _chosen(
    frames: Generator[av.VideoFrame, None, None], indices: Iterable[int]
) -> Generator[av.VideoFrame, None, None]:
    """The frames of non-decreasing `indices` out of all frames."""
    position, frame = -1, None
    with contextlib.closing(frames):
        for index in indices:
            while position < index:
                frame = next(frames, None)
                if frame is None:
                    return
                position += 1
            yield frame


def _after(first: av.VideoFrame, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    yield first
    yield from frames


def _state(path: str) -> tuple:
    """Key that differs if another file has taken this name."""
    with contextlib.suppress(OSError):
        return os.path.abspath(path), *file_state(path)
    return (path,)


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()
