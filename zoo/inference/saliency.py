"""Predict where people look in each frame of one video."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.files.printable import one_line
from zoo.inference.streaming.pipeline import run_model
from zoo.inference.streaming.saliency_outputs import (
    AnyStream,
    open_stream,
    output_map,
    output_names,
    outputs_candidates,
    saliency_output,
)
from zoo.inference.streaming.sources import AnyVideo
from zoo.inference.writing.kept import KeptOutputs
from zoo.inference.writing.output import claim_folder
from zoo.inference.writing.prediction import Prediction, is_picture
from zoo.inference.writing.saliency_files import (
    FILES,
    KNOWN,
    SaliencyFiles,
    write_arrays,
    write_summary,
)


def predict_saliency(
    stream: AnyStream,
    video: AnyVideo,
    *,
    output: str | os.PathLike | None,
    initial: str,
    chunk: int | None,
    maps: str | None,
    candidates: int,
    film: bool,
    sound: bool,
    size: tuple[int, int],
    facts: dict,
    overwrite: bool,
    progress: bool,
    model: str = "",
) -> Prediction:
    """`zoo.predict` for one video and a saliency model; see there for the arguments.

    Args:
        stream: the model as returned by `saliency_stream`.
        facts: additional entries of prediction.json.
        model: the model's name, shown on the page.
    """
    total = video.num_frames  # decodes once, so that a truncated video is detected before any work
    still = is_picture(video)
    initial = "pad" if still else initial
    least = stream.missing + stream.trailing + 1
    if total < least and initial != "pad":
        raise ValueError(
            f"The video must have at least {least} frames for this model; "
            'initial="pad" fills in for missing ones with copies of the first. '
            f"Received: {video.path}, {total} frames"
        )
    folder = None
    if output is not None:
        folder = claim_folder(output, overwrite=overwrite, known=KNOWN)
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(KeptOutputs(folder))
        files = stack.enter_context(
            SaliencyFiles(
                folder,
                video,
                model=model,
                maps=maps,
                film=film and not still,
                size=size,
                sound=sound,
            )
        )
        sink = _Sink(candidates, kept, files)
        bar = stack.enter_context(_progress(progress))
        task = bar.add_task(one_line(os.path.basename(str(video.path).rstrip("/"))), total=total)
        writer = stack.enter_context(_Worker(sink.write))
        frame_size = size if files.film else None
        pieces = run_model(stream, video, initial=initial, chunk=chunk, frame_size=frame_size)
        for piece in stack.enter_context(contextlib.closing(pieces)):
            writer.put(piece)
            bar.advance(task, piece.count)
        writer.finish()
        files.finish(FILES["picture"] if film and still else None)
        outputs = kept.finish()
    prediction = Prediction(
        video=str(video.path),
        frames=np.asarray(sink.frames, np.int64),
        outputs=outputs,
        candidates=sink.candidates,
        num_frames=total,
        fps=float(video.fps),
        height=video.height,
        width=video.width,
        files={**files.files, **kept.files},
        seconds=time.perf_counter() - start,
        source=video,
    )
    if folder is not None:
        _finish(prediction, folder, film and still, size, {"initial": initial, **facts})
    return prediction


def saliency_stream(model, **options) -> AnyStream:
    """Wrap a model for feeding videos to it; raises an error if it has no saliency output.

    Example: `saliency_stream(zoo.lsts(), stride=4)`
    """
    if isinstance(model, keras.Model):
        saliency_output(output_names(model))
    stream = open_stream(model, **options)
    saliency_output(stream.output_names)
    return stream


def _finish(prediction: Prediction, folder: Path, picture: bool, size, facts) -> None:
    small = {n: v for n, v in prediction.outputs.items() if n not in prediction.files}
    prediction.files.update(write_arrays(folder, prediction.frames, small, prediction.candidates))
    if picture:
        prediction.files["picture"] = prediction.write_picture(folder)
    write_summary(folder, prediction, {"map_height": size[0], "map_width": size[1], **facts})


def _progress(shown: bool) -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns, TextColumn("frames, time left"), TimeRemainingColumn(), disable=not shown
    )


class _Sink:
    """Receives the predicted pieces, collects their outputs and writes maps and film."""

    def __init__(self, num_candidates: int, kept: KeptOutputs, files: SaliencyFiles):
        self.num_candidates = num_candidates
        self.kept = kept
        self.files = files
        self.frames: list[int] = []
        self.candidates: list[np.ndarray] = []

    def write(self, piece) -> None:
        shown = piece.frames if piece.frames is not None else [None] * piece.count
        numbers = range(piece.start, piece.start + piece.count)
        if piece.outputs is None:
            for number, frame in zip(numbers, shown):
                self.files.write(number, frame, None)
            return
        self.frames.extend(numbers)
        self.kept.add(piece.outputs)
        found = outputs_candidates(piece.outputs, self.num_candidates)
        for index, (number, places) in enumerate(zip(numbers, found)):
            self.candidates.append(places)
            if self.files.wanted:
                density = functools.partial(output_map, piece.outputs, index)
                self.files.write(number, shown[index], density, places)


class _Worker:
    """Runs a function on items in a separate thread, at most a few items behind."""

    def __init__(self, function: Callable):
        self._function = function
        self._items: queue.Queue = queue.Queue(maxsize=2)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)

    def __enter__(self) -> _Worker:
        self._thread.start()
        return self

    def _run(self):
        while (item := self._items.get()) is not None:
            if self._error is None:
                try:
                    self._function(item)
                except BaseException as error:  # re-raised in the thread that submits the items
                    self._error = error

    def put(self, item) -> None:
        if self._error is not None:
            raise self._error
        self._items.put(item)

    def finish(self) -> None:
        self.__exit__(None, None, None)
        if self._error is not None:
            raise self._error

    def __exit__(self, kind, error, trace) -> None:
        if self._thread.is_alive():
            self._items.put(None)
            self._thread.join()
