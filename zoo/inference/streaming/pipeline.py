"""Decode a video and run a model on it in parallel; memory does not grow with the video."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from zoo.datasets.video.reading import Video
from zoo.datasets.video.source import resize
from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.streaming.freed_memory import FreedMemory
from zoo.inference.streaming.saliency_outputs import AnyStream, open_stream

INITIAL = ("repeat", "pad", "omit")
PIECE = 4  # most frames decoded at a time; about seven pieces are in memory at once
PIECE_BYTES = PIECE * 360 * 640 * 3  # the most that a piece takes, if it is not a single frame


@dataclass(frozen=True)
class Piece:
    """Consecutive frames with the model's outputs for them.

    Attributes:
        start: number of the first frame.
        count: number of frames.
        outputs: output name to array (n, ...), or None if these frames have no prediction.
        frames: n arrays (height, width, 3) uint8, or None if frames were not requested.
    """

    start: int
    count: int
    outputs: dict[str, np.ndarray] | None
    frames: list[np.ndarray] | None


def run_model(
    model: keras.Model | AnyStream,
    video: Video,
    *,
    initial: str = "repeat",
    chunk: int | None = None,
    precision: str | None = None,
    frame_size: tuple[int, int] | None = None,
) -> Iterator[Piece]:
    """Run a model over a video piece by piece while the next piece is being decoded.

    Args:
        model: the model, or what `open_stream` returned for it.
        video: an open video.
        initial: how to treat the frames before the first full clip: "repeat" the first
            prediction, "pad" the video with its first frame, or "omit" their predictions. The
            end of the video is treated likewise if the model has no outputs for the last frames.
        chunk: frames fed to the model at a time; default 16 for clip models, 32 for dense models.
        precision: see `Stream`.
        frame_size: (height, width) of the frames returned with the outputs; None: no frames.

    Yields:
        Pieces in order; together they cover every frame of the video exactly once.

    Example: `for piece in run_model(model, open_video("clip.mp4")): ...`
    """
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if chunk is not None and chunk < 1:
        raise ValueError(f"`chunk` must be at least 1. Received: chunk={chunk}")
    stream = open_stream(model, precision=precision)
    if not isinstance(stream, ClipMaps):
        stream.fit(video.height, video.width, video.fps)
    stream.reset()
    if len(stream.frame_shape) != 3 or stream.frame_shape[-1] != 3:
        raise ValueError(
            "The model's input must be frames (height, width, 3); a head that takes features must "
            f"be joined to its backbone. Received: an input of shape {stream.frame_shape} per frame"
        )
    chunk = chunk or stream.chunk
    pieces = _decoded(video, stream.frame_shape[:2], frame_size)
    return _Run(stream, initial, chunk, frame_size is not None).pieces(pieces)


class _Run:
    def __init__(self, stream: AnyStream, initial: str, chunk: int, with_frames: bool):
        self.stream = stream
        self.initial = initial
        self.chunk = chunk
        self.with_frames = with_frames
        self.waiting: deque = deque()  # frames without an output so far
        self.padded = 0  # number of frames prepended to the video
        self.given = 0  # number of frames yielded
        self.last: dict[str, np.ndarray] = {}  # the most recent outputs

    def pieces(self, decoded):
        small: list[np.ndarray] = []
        held, freed = 0, FreedMemory()
        for shown, seen in decoded:
            freed.after(len(seen))
            if self.initial == "pad" and not self.padded and self.stream.missing:
                self.padded = self.stream.missing
                small.append(np.repeat(seen[:1], self.padded, axis=0))
            if self.with_frames:
                self.waiting.extend(shown)
            small.append(seen)
            last = seen[-1:]
            held += len(seen)
            if held >= self.chunk:
                yield from self._hand_out(self.stream.push(np.concatenate(small)))
                small, held = [], 0
        after = self.stream.trailing
        if self.initial == "pad" and after:
            small.append(np.repeat(last, after, axis=0))
            after = 0
        if small:
            yield from self._hand_out(self.stream.push(np.concatenate(small)))
        yield from self._hand_out(self.stream.finish())
        if after:
            repeated = self.initial == "repeat"
            final = {k: np.repeat(v, after, axis=0) for k, v in self.last.items()}
            yield self._piece(after, final if repeated else None)

    def _hand_out(self, outputs):
        if not outputs:
            return
        self.last = {k: v[-1:] for k, v in outputs.items()}
        missing = self.stream.missing - self.padded
        if self.given == 0 and missing:
            first = None
            if self.initial == "repeat":
                first = {k: np.repeat(v[:1], missing, axis=0) for k, v in outputs.items()}
            yield self._piece(missing, first)
        count = len(next(iter(outputs.values())))
        yield self._piece(count, outputs)

    def _piece(self, count, outputs):
        frames = None
        if self.with_frames:
            frames = [self.waiting.popleft() for _ in range(count)]
        piece = Piece(self.given, count, outputs, frames)
        self.given += count
        return piece


def _decoded(video, model_size, frame_size):
    """Decode in a thread; yield pieces (frames at `frame_size`, if any; frames for the model)."""
    results: queue.Queue = queue.Queue(maxsize=2)
    stop = threading.Event()
    height, width = frame_size or model_size
    most = max(1, min(PIECE, PIECE_BYTES // (3 * height * width)))

    def put(item) -> bool:
        while not stop.is_set():
            try:
                results.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def decode():
        try:
            shown, seen = [], []
            for frame in video.frames(size=None if frame_size else model_size):
                seen.append(resize(frame, model_size))
                if frame_size:
                    shown.append(resize(frame, frame_size))
                if len(seen) == most:
                    if not put((shown, np.stack(seen))):
                        return
                    shown, seen = [], []
            if seen:
                put((shown, np.stack(seen)))
            put(None)
        except BaseException as error:  # passed to the consumer, which raises it
            put(error)

    thread = threading.Thread(target=decode, name="decode", daemon=True)
    thread.start()
    try:
        while (item := results.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
