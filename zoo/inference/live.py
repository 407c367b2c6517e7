"""Saliency prediction on a live stream, frame by frame."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import cv2
import keras
import numpy as np

from zoo.datasets.video.source import resize
from zoo.files.atomic import atomic_path
from zoo.files.json_file import write_json
from zoo.inference.arguments import check_arguments, check_unused
from zoo.inference.streaming.array_video import checked_frame
from zoo.inference.streaming.frame_size import fitting_size, side_of_video
from zoo.inference.streaming.freed_memory import FreedMemory
from zoo.inference.streaming.joint import is_joint, saliency_part
from zoo.inference.streaming.live_source import LiveFrame, StreamError, arriving, open_live
from zoo.inference.streaming.saliency_outputs import (
    output_map,
    outputs_candidates,
    saliency_output,
    takes_long_clips,
)
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.growing_film import GrowingFilm
from zoo.inference.writing.kept import KeptOutputs
from zoo.inference.writing.maps import MapWriter
from zoo.inference.writing.output import claim_folder, give_up_folder
from zoo.models.loading import GENERAL, load
from zoo.visualize.overlay import overlay

FILES = ("film.mp4", "maps.npz", "maps", "prediction.npz", "prediction.json", "log_density.npy")

SMALLEST = 1e-4  # seconds between frames whose time stamps do not increase


@dataclass(frozen=True)
class LivePrediction:
    """The predictions made on a live stream.

    Attributes:
        outputs: arrays (n, ...) by output name: for `zoo.rmdn()`, "mixture" (n, C, 6).
        first: number of the first frame with a prediction.
        num_frames: number of frames received.
        latency: (n,) seconds from the arrival of a frame to its prediction.
        times: (num_frames,) seconds since the first frame: the stream's own time stamps. For raw
            frames, the frame number divided by the given frame rate or, without one, the arrival
            time.
        delay: the prediction for frame t is made when frame t + delay has arrived.
        damage: descriptions of damaged parts of the stream, each with its frame number.
        files: paths of the written files by kind.
        error: why the stream ended early, or None.
    """

    outputs: dict[str, np.ndarray]
    first: int
    num_frames: int
    latency: np.ndarray
    times: np.ndarray
    delay: int
    files: dict[str, str]
    error: str | None = None
    damage: tuple[str, ...] = ()

    @property
    def delay_seconds(self) -> float:
        """How many seconds the predictions lag behind the frames of the stream."""
        if not self.delay or self.num_frames < 2:
            return 0.0
        return float(self.delay * np.median(np.diff(self.times)))

    def summary(self) -> str:
        """One line with the latency and the delay."""
        delay = f"delay {self.delay} frames"
        delay += f" ({self.delay_seconds:.2f} s)" if self.delay else ""
        if self.damage:
            delay += f"; {len(self.damage)} damaged, first: {self.damage[0]}"
        if not len(self.latency):
            return f"{self.num_frames} frames, no prediction; {delay}"
        middle, late = 1000 * np.quantile(self.latency, (0.5, 0.95))
        return (
            f"{self.num_frames} frames; latency per frame {middle:.0f} ms (95% within "
            f"{late:.0f} ms); {delay}"
        )


def predict_live(
    model: keras.Model | Stream | str | os.PathLike | None,
    source: str | int | Iterable[np.ndarray],
    *,
    output: str | os.PathLike | None = None,
    raw_size: tuple[int, int] | None = None,
    pixel_format: str = "rgb24",
    fps: float | None = None,
    maps: str | None = None,
    film: bool = True,
    window: bool = False,
    candidates: int = 5,
    size: tuple[int, int] | None = None,
    stall: float = 10.0,
    strict: bool = False,
    max_frames: int | None = None,
    precision: str | None = None,
    overwrite: bool = False,
) -> LivePrediction:
    """Predict where people look in a live stream, frame by frame.

    A causal model (`zoo.general_saliency()`, `zoo.rmdn(dense=True, causal=True)`) predicts each
    frame as it arrives; any other model lags by the number of frames it looks ahead. If the
    stream stalls, breaks off or changes its frame size, the prediction ends with a `StreamError`
    that says where; the files on disk are complete up to that point.

    Args:
        model: as in `zoo.predict`; None uses the model that the zoo ships. Of a joint model, only
            the saliency is predicted, because the action belongs to a whole video.
        source: "-" for standard input, a camera's index, an address such as rtsp://..., or RGB
            frames (height, width, 3) uint8.
        output: new folder for the film, the arrays and the summary; with None, no files are
            written.
        raw_size: (height, width) of raw frames on standard input; None if the input is encoded.
        pixel_format: pixel format of raw frames, see `raw_frames`.
        fps: frame rate of raw frames, which have no time stamps; None uses their arrival times.
            Encoded streams and cameras supply their own time stamps.
        maps: "npz" (maps.npz), "png" (a folder of grey images) or None.
        film: write film.mp4, which can be watched while it grows.
        window: show the overlay in a window; q closes it and ends the prediction.
        candidates: number of gaze candidates marked in the film and the window.
        size: (height, width) of maps, film and window; default the stream's.
        stall: end the prediction after this many seconds without a frame.
        strict: stop at a damaged packet; otherwise damaged packets are skipped and reported.
        max_frames: stop after this many frames.
        precision: see `zoo.predict`.
        overwrite: replace the files of an earlier prediction in `output`.

    Returns:
        A `LivePrediction`.

    Example: `predict_live("model.keras", 0, output="out", window=True)`
    """
    check_arguments(maps=maps, candidates=candidates, size=size, fps=fps)
    if max_frames is not None and not (isinstance(max_frames, Integral) and max_frames >= 1):
        raise ValueError(
            f"`max_frames` must be a positive integer, or None. Received: max_frames={max_frames!r}"
        )
    if not isinstance(source, (str, int, Iterable)):
        raise TypeError(
            '`source` must be "-", a camera\'s index, an address, or an iterable of frames. '
            f"Received: {type(source).__name__}"
        )
    if isinstance(source, (str, int)):
        source = open_live(source, raw_size, pixel_format)
    elif raw_size is not None:
        raise ValueError(
            "`raw_size` is for raw frames on standard input. "
            f"Received: raw_size={raw_size} for {type(source).__name__}"
        )
    model = _live_model(model, precision)
    folder = None
    if output is not None:
        folder = claim_folder(output, overwrite=overwrite, known=FILES)
    error = None
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        sink = _LiveSink(stack, folder, maps, film, window, size)
        sink.num_candidates = candidates
        kept = stack.enter_context(KeptOutputs(folder))
        run = _LiveRun(model, sink, kept, precision=precision, fps=fps, strict=strict)
        try:
            with contextlib.closing(arriving(iter(source), stall=stall)) as frames:
                for came, frame in frames:
                    run.take(came, frame)
                    if sink.closed or run.num_frames == max_frames:
                        break
        except StreamError as found:
            error = found
        except KeyboardInterrupt:
            pass  # the usual way to stop a camera; the predictions so far are kept
        run.finish()
        outputs = kept.finish()
    seconds = time.perf_counter() - start
    found = LivePrediction(
        outputs=outputs,
        first=run.first,
        num_frames=run.num_frames,
        latency=np.asarray(run.latency),
        times=np.asarray(run.times) - (run.times[0] if run.times else 0.0),
        damage=tuple(run.damage),
        delay=run.delay,
        files={**sink.files, **kept.files},
        error=None if error is None else str(error),
    )
    if error is not None and not found.num_frames:
        give_up_folder(folder)
    elif folder is not None:
        _write(found, folder, seconds)
    if error is None:
        return found
    if found.num_frames:
        where = f"in {folder}" if folder is not None else "in `error.prediction`"
        error = StreamError(f"{error}; the {found.num_frames} frames so far are kept {where}")
    error.prediction = found
    raise error


def _live_model(model, precision) -> keras.Model | Stream:
    """The model, or a stream of it; an error if it cannot predict frame by frame."""
    if isinstance(model, Stream):
        check_unused("A `Stream` has its precision already", precision=precision)
        saliency_output(model.output_names)
        return model
    if not isinstance(model, keras.Model):
        model = load(GENERAL if model is None else model, verbose=False)
    model = saliency_part(model) if is_joint(model) else model
    if takes_long_clips(model):
        raise ValueError(
            "A live stream needs a model with an output for every frame. "
            f"Received: {model.name!r}, which predicts one map for each long clip"
        )
    if None in model.inputs[0].shape[2:4]:
        return model  # built once, for the size of the first frame
    return _stream(model, precision)


def _stream(model, precision, **fitted) -> Stream:
    """A stream of the model, one frame at a time if the model is causal."""
    return Stream(model, precision=precision, step="least", **fitted)


class _LiveRun:
    """Feeds frames to the model and passes on each prediction, in order, with its frame."""

    def __init__(
        self,
        model: keras.Model | Stream,
        sink: _LiveSink,
        kept: KeptOutputs,
        *,
        precision: str | None,
        fps: float | None,
        strict: bool,
    ):
        self.model = model
        self.stream = model if isinstance(model, Stream) else None
        self.precision = precision
        self.sink = sink
        self.kept = kept
        self.fps = fps
        self.strict = strict
        self.freed = FreedMemory()
        self.times: list[float] = []
        self.damage: list[str] = []
        self.size: tuple[int, int] | None = None  # of the stream's frames
        self.waiting: deque = deque()
        self.num_frames = 0
        self.latency: list[float] = []

    @property
    def first(self) -> int:
        """Number of the first frame with a prediction."""
        return 0 if self.stream is None else self.stream.missing

    @property
    def delay(self) -> int:
        """Number of frames by which predictions lag behind."""
        late = self.stream is not None and self.stream.delay
        return late + self.stream.chunk - 1 if late else 0

    def take(self, came: float, item: np.ndarray | LiveFrame) -> None:
        frame, seconds, damage = item if isinstance(item, LiveFrame) else (item, None, ())
        self.damage += [f"{what} at frame {self.num_frames}" for what in damage]
        if self.strict and self.damage:
            raise StreamError(
                f"With strict=True, a stream must not be damaged. Received: {self.damage[-1]}"
            )
        frame = checked_frame(frame, self.num_frames)
        if self.size is None:
            self.size = frame.shape[:2]
            self.sink.open(self.size)
            self._open_stream(*self.size)
        elif frame.shape[:2] != self.size:
            raise StreamError(
                "The frames of a stream must all have the same size. Received: "
                f"{self.size[0]}x{self.size[1]} (height x width) up to frame "
                f"{self.num_frames - 1}, {frame.shape[0]}x{frame.shape[1]} at frame "
                f"{self.num_frames}"
            )
        self.times.append(self._shown(came, seconds))
        self.num_frames += 1
        self.waiting.append((came, frame))
        self._answer(self.stream.push(resize(frame, self.stream.frame_shape[:2])[None]))
        self.freed.after(1)

    def _open_stream(self, height: int, width: int) -> None:
        if self.stream is None:
            self.stream = _stream(
                self.model,
                self.precision,
                frame_size=fitting_size(height, width),
                frame_rate=self.fps,
                video_side=side_of_video(height, width),
            )
        self.stream.fit(height, width, self.fps)
        self.stream.reset()

    def _shown(self, came: float, seconds: float | None) -> float:
        """Presentation time of a frame, always later than the previous frame's."""
        if seconds is None:
            seconds = came if self.fps is None else self.num_frames / self.fps
        last = self.times[-1] if self.times else -math.inf
        return seconds if seconds > last else last + SMALLEST

    def finish(self) -> None:
        if self.num_frames > self.first:
            self._answer(self.stream.finish())

    def _answer(self, outputs) -> None:
        if not outputs:
            return
        if not self.latency:  # a clip-based model has no prediction for the first frames
            for number in range(self.stream.missing):
                self.sink.write(number, self._since(number), self.waiting.popleft()[1], None)
        self.kept.add(outputs)
        for index in range(len(outputs[saliency_output(outputs)])):
            came, frame = self.waiting.popleft()
            number = len(self.latency) + self.stream.missing
            one = {k: v[index : index + 1] for k, v in outputs.items()}
            self.sink.write(number, self._since(number), frame, one)
            self.latency.append(time.perf_counter() - came)

    def _since(self, number: int) -> float:
        return self.times[number] - self.times[0]


class _LiveSink:
    """Writes the maps, and draws the predictions into a growing film and a window."""

    def __init__(self, stack, folder: Path | None, maps, film, window, size):
        self.stack, self.folder, self.window = stack, folder, window
        self.form, self.with_film = maps if folder else None, film and folder is not None
        self.size: tuple[int, int] | None = size
        self.maps = self.film = None
        self.num_candidates = 0
        self.closed = False
        self.files: dict[str, str] = {}

    def open(self, frame_size: tuple[int, int]) -> None:
        self.size = self.size or frame_size
        if self.form is not None:
            path = self.folder / ("maps.npz" if self.form == "npz" else "maps")
            self.maps = self.stack.enter_context(MapWriter(path))
            self.files["maps"] = str(path)
        if self.with_film:
            path = self.folder / "film.mp4"
            self.film = self.stack.enter_context(GrowingFilm(path, *self.size))
            self.files["film"] = str(path)
        if self.window:
            self.stack.callback(cv2.destroyAllWindows)

    def write(self, number: int, seconds: float, frame: np.ndarray, outputs: dict | None) -> None:
        if self.maps is None and self.film is None and not self.window:
            return
        frame = resize(frame, self.size)
        if outputs is not None:
            saliency = output_map(outputs, 0, *self.size)
            if self.maps is not None:
                self.maps.write(number, saliency)
            places = None
            if self.num_candidates:
                places = outputs_candidates(outputs, self.num_candidates)[0]
            frame = overlay(frame, saliency, candidates=places)
        if self.film is not None:
            self.film.write(frame, seconds)
        if self.window:
            cv2.imshow("zoo", frame[..., ::-1])
            self.closed = cv2.waitKey(1) & 0xFF == ord("q")


def _write(found: LivePrediction, folder: Path, seconds: float) -> None:
    path = folder / "prediction.npz"
    frames = np.arange(found.first, found.first + len(found.latency))
    small = {name: v for name, v in found.outputs.items() if name not in found.files}
    with atomic_path(path) as part, open(part, "wb") as file:
        np.savez(file, frames=frames, latency=found.latency, times=found.times, **small)
    found.files["arrays"] = str(path)
    found.files["summary"] = str(folder / "prediction.json")
    quantiles = np.quantile(found.latency, (0.5, 0.95)).tolist() if len(found.latency) else None
    write_json(
        folder / "prediction.json",
        {
            "num_frames": found.num_frames,
            "predicted_frames": len(found.latency),
            "latency_seconds_median_and_95": quantiles,
            "delay_frames": found.delay,
            "delay_seconds": round(found.delay_seconds, 4),
            "stream_seconds": round(float(found.times[-1]), 4) if len(found.times) else 0.0,
            "damage": list(found.damage),
            "seconds": round(seconds, 3),
            "error": found.error,
            "files": {kind: os.path.basename(path) for kind, path in found.files.items()},
        },
    )
