"""A stream of frames that is answered while it comes."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import keras
import numpy as np

from zoo.datasets.video.source import resize
from zoo.inference.streaming.live_source import StreamError, arriving, open_live
from zoo.inference.streaming.saliency_outputs import (
    output_map,
    outputs_candidates,
    saliency_output,
)
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.kept import KeptOutputs
from zoo.inference.writing.maps import MapWriter
from zoo.inference.writing.output import claim_folder, write_json
from zoo.models.loading import GENERAL, load
from zoo.visualize.overlay import overlay

FILES = ("film.mp4", "maps.npz", "prediction.npz", "prediction.json", "log_density.npy")


@dataclass(frozen=True)
class LivePrediction:
    """What was predicted while a stream came.

    Attributes:
        outputs: name to array (n, ...): for `zoo.rmdn()`, "mixture" (n, C, 6).
        first: number of the first frame with a prediction.
        num_frames: frames that came.
        latency: (n,) seconds from a frame's coming to its answer.
        delay: the answer to frame t is given when frame t + delay has come.
        files: kind to path.
        error: why the stream ended early, or None.
    """

    outputs: dict[str, np.ndarray]
    first: int
    num_frames: int
    latency: np.ndarray
    delay: int
    files: dict[str, str]
    error: str | None = None

    def summary(self) -> str:
        """Latency and delay in a sentence."""
        if not len(self.latency):
            return f"{self.num_frames} frames, no prediction; delay {self.delay} frames"
        middle, late = 1000 * np.quantile(self.latency, (0.5, 0.95))
        return (
            f"{self.num_frames} frames; latency a frame {middle:.0f} ms (95 of 100 within "
            f"{late:.0f} ms); delay {self.delay} frames"
        )


def predict_live(
    model: keras.Model | Stream | str | os.PathLike | None,
    source: str | int | Iterable[np.ndarray],
    *,
    output: str | os.PathLike | None = None,
    raw_size: tuple[int, int] | None = None,
    pixel_format: str = "rgb24",
    fps: float = 25.0,
    maps: bool = False,
    film: bool = True,
    window: bool = False,
    candidates: int = 5,
    stall: float = 10.0,
    max_frames: int | None = None,
    precision: str | None = None,
    overwrite: bool = False,
) -> LivePrediction:
    """Where people look, frame by frame while a stream comes.

    A causal model (`zoo.general_saliency()`, `zoo.rmdn(dense=True, causal=True)`) answers each
    frame at once; any other model answers as many frames later as it looks ahead. A stream that
    stalls, breaks off or changes its size ends the prediction with a `StreamError` that says
    where; what was predicted until then is on disk, whole.

    Args:
        model: as for `zoo.predict`; None is the model that the zoo ships.
        source: "-" for standard input, a camera's index, an address such as rtsp://..., or RGB
            frames (height, width, 3) uint8.
        output: new folder for the film, the arrays and the summary; None writes none.
        raw_size: (height, width) of raw frames on standard input; None: the input is encoded.
        pixel_format: of raw frames, see `raw_frames`.
        fps: frames a second of the film.
        maps: also write maps.npz.
        film: write film.mp4, which can be watched while it grows.
        window: show the overlay in a window; q closes it and ends the prediction.
        candidates: likely places marked in film and window.
        stall: seconds without a frame that end the prediction.
        max_frames: end after so many frames.
        precision: see `zoo.predict`.
        overwrite: replace the files of an earlier prediction in `output`.

    Returns:
        A `LivePrediction`.

    Example: `predict_live("model.keras", 0, output="out", window=True)`
    """
    stream = _stream(model, precision)
    if isinstance(source, (str, int)):
        source = open_live(source, raw_size, pixel_format)
    folder = None
    if output is not None:
        folder = claim_folder(output, overwrite=overwrite, known=FILES)
    error = None
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        sink = _LiveSink(stack, folder if maps or film else None, maps, film, window, fps)
        sink.num_candidates = candidates
        kept = stack.enter_context(KeptOutputs(folder))
        run = _LiveRun(stream, sink, kept)
        try:
            with contextlib.closing(arriving(iter(source), stall=stall)) as frames:
                for came, frame in frames:
                    run.take(came, frame)
                    if sink.closed or run.num_frames == max_frames:
                        break
        except StreamError as found:
            error = found
        except KeyboardInterrupt:
            pass  # the usual way to end a camera; what there is, is kept
        run.finish()
        outputs = kept.finish()
    seconds = time.perf_counter() - start
    found = LivePrediction(
        outputs=outputs,
        first=stream.missing,
        num_frames=run.num_frames,
        latency=np.asarray(run.latency),
        delay=stream.delay + stream.chunk - 1 if stream.delay else 0,
        files={**sink.files, **kept.files},
        error=None if error is None else str(error),
    )
    if folder is not None:
        _write(found, folder, seconds)
    if error is not None:
        kept = f"; the {found.num_frames} frames so far are kept"
        kept += f" in {folder}" if folder is not None else " in `error.prediction`"
        error = StreamError(f"{error}{kept}")
        error.prediction = found
        raise error
    return found


def _stream(model, precision) -> Stream:
    if isinstance(model, Stream):
        return model
    if not isinstance(model, keras.Model):
        model = load(GENERAL if model is None else model, verbose=False)
    stream = Stream(model, precision=precision)
    if not stream.delay and not stream.missing:  # causal: one frame at a time
        stream = Stream(model, precision=precision, step=1)
    saliency_output(stream.output_names)
    return stream


class _LiveRun:
    """Feeds frames and hands the answers out, in order, with the frames they belong to."""

    def __init__(self, stream: Stream, sink: _LiveSink, kept: KeptOutputs):
        self.stream = stream
        self.sink = sink
        self.kept = kept
        self.waiting: deque = deque()
        self.num_frames = 0
        self.latency: list[float] = []
        self.output = saliency_output(stream.output_names)

    def take(self, came: float, frame: np.ndarray) -> None:
        if self.waiting and frame.shape != self.waiting[-1][1].shape:
            raise StreamError(
                f"A stream must keep its size. Received: {self.waiting[-1][1].shape} up to frame "
                f"{self.num_frames - 1}, {frame.shape} at frame {self.num_frames}"
            )
        if self.num_frames == 0 or self.sink.size is None:
            self.sink.open(frame.shape[:2])
            self.stream.fit(*frame.shape[:2])
            self.stream.reset()
        elif frame.shape[:2] != self.sink.size:
            raise StreamError(
                "A stream must keep its size. Received: "
                f"{self.sink.size[0]}x{self.sink.size[1]} (height x width) up to frame "
                f"{self.num_frames - 1}, {frame.shape[0]}x{frame.shape[1]} at frame "
                f"{self.num_frames}"
            )
        self.num_frames += 1
        self.waiting.append((came, frame))
        self._answer(self.stream.push(resize(frame, self.stream.frame_shape[:2])[None]))

    def finish(self) -> None:
        if self.num_frames > self.stream.missing:
            self._answer(self.stream.finish())

    def _answer(self, outputs) -> None:
        if not outputs:
            return
        if not self.latency:  # a model of clips says nothing about the first frames
            for number in range(self.stream.missing):
                self.sink.write(number, self.waiting.popleft()[1], None)
        self.kept.add(outputs)
        for index in range(len(outputs[self.output])):
            came, frame = self.waiting.popleft()
            number = len(self.latency) + self.stream.missing
            self.sink.write(number, frame, {k: v[index : index + 1] for k, v in outputs.items()})
            self.latency.append(time.perf_counter() - came)


class _LiveSink:
    """Draws the answers: into a film that can be watched while it grows, and a window."""

    def __init__(self, stack, folder: Path | None, maps, film, window, fps):
        self.stack, self.folder, self.window, self.fps = stack, folder, window, fps
        self.with_maps, self.with_film = maps and folder is not None, film and folder is not None
        self.size: tuple[int, int] | None = None
        self.maps = self.film = None
        self.num_candidates = 0
        self.closed = False
        self.files: dict[str, str] = {}

    def open(self, size: tuple[int, int]) -> None:
        self.size = size
        if self.with_maps:
            path = self.folder / "maps.npz"
            self.maps = self.stack.enter_context(MapWriter(path))
            self.files["maps"] = str(path)
        if self.with_film:
            path = self.folder / "film.mp4"
            self.film = self.stack.enter_context(GrowingFilm(path, self.fps, *size))
            self.files["film"] = str(path)
        if self.window:
            self.stack.callback(cv2.destroyAllWindows)

    def write(self, number: int, frame: np.ndarray, outputs: dict | None) -> None:
        if self.maps is None and self.film is None and not self.window:
            return
        if outputs is not None:
            saliency = output_map(outputs, 0, *self.size)
            if self.maps is not None:
                self.maps.write(number, saliency)
            places = None
            if self.num_candidates:
                places = outputs_candidates(outputs, self.num_candidates)[0]
            frame = overlay(frame, saliency, candidates=places)
        if self.film is not None:
            self.film.write(frame)
        if self.window:
            cv2.imshow("zoo", frame[..., ::-1])
            self.closed = cv2.waitKey(1) & 0xFF == ord("q")


class GrowingFilm:
    """Writes RGB frames into an mp4 file of fragments, playable up to its last second.

    Args:
        path: the film.
        fps: frames a second.
        height, width: size of the frames.

    Example: `with GrowingFilm("live.mp4", 25, 360, 640) as film: film.write(frame)`.
    """

    def __init__(self, path: str | os.PathLike, fps: float, height: int, width: int):
        self.path, self.fps, self.size = str(path), fps, (height, width)

    def __enter__(self) -> GrowingFilm:
        flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
        self._container = av.open(self.path, "w", format="mp4", options=flags)
        rate = Fraction(self.fps).limit_denominator(1001)
        try:
            self._stream = self._container.add_stream("libx264", rate=rate)
            self._stream.options = {"crf": "23", "preset": "ultrafast", "tune": "zerolatency"}
        except (av.error.FFmpegError, ValueError):
            self._stream = self._container.add_stream("mpeg4", rate=rate)
        height, width = self.size
        self._stream.height, self._stream.width = height + height % 2, width + width % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.gop_size = max(1, round(self.fps))
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, (height, width, 3) uint8 RGB."""
        height, width = self.size
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        self._container.mux(self._stream.encode(picture.reformat(format="yuv420p")))

    def __exit__(self, kind, error, trace) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()


def _write(found: LivePrediction, folder: Path, seconds: float) -> None:
    path = folder / "prediction.npz"
    part = folder / f".prediction.npz.{os.getpid()}.part"
    frames = np.arange(found.first, found.first + len(found.latency))
    small = {name: v for name, v in found.outputs.items() if name not in found.files}
    with open(part, "wb") as file:
        np.savez(file, frames=frames, latency=found.latency, **small)
    os.replace(part, path)
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
            "seconds": round(seconds, 3),
            "error": found.error,
            "files": {kind: os.path.basename(path) for kind, path in found.files.items()},
        },
    )
