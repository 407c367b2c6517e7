"""A video file to saliency maps, gaze candidates and a film."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.datasets.video.reading import Video, open_video
from zoo.inference.actions.naming import ActionPrediction, predict_action
from zoo.inference.streaming.clip_maps import ClipMaps
from zoo.inference.streaming.joint import is_joint
from zoo.inference.streaming.pipeline import INITIAL, run_model
from zoo.inference.streaming.saliency_outputs import (
    SALIENCY_OUTPUTS,
    open_stream,
    output_map,
    output_names,
    outputs_candidates,
    saliency_output,
)
from zoo.inference.streaming.stream import Stream
from zoo.inference.writing.kept import KeptOutputs
from zoo.inference.writing.maps import MapWriter
from zoo.inference.writing.output import claim_folder, write_json, write_text
from zoo.inference.writing.prediction import Prediction
from zoo.models.loading import load
from zoo.visualize.film import SaliencyFilm

LONGEST_SIDE = 1280
FILES = {
    "film": "film.mp4",
    "maps": "maps.npz",
    "candidates": "candidates.csv",
    "arrays": "prediction.npz",
    "saliency": "saliency.npy",
    "summary": "prediction.json",
    "action": "action.json",
}


def predict(
    model: keras.Model | Stream | ClipMaps | str | os.PathLike,
    video: Video | str | os.PathLike,
    *,
    output: str | os.PathLike | None = None,
    initial: str = "repeat",
    chunk: int | None = None,
    maps: str | None = "npz",
    candidates: int = 5,
    film: bool = True,
    size: tuple[int, int] | None = None,
    precision: str | None = None,
    stride: int = 1,
    flow: str | Callable | None = None,
    classes: Sequence[str] | None = None,
    mirror: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> Prediction | ActionPrediction:
    """Where people look in each frame of a video, or what action it shows and why.

    The video is decoded, fed to the model and drawn piece by piece, all three at once; the
    recurrent state is carried on, so the result is that of the whole video in one call. Memory
    does not grow with the video but for the outputs themselves, about 1 KB a frame.

    A model of actions, such as `zoo.soft_attention()`, names the action instead and shows its
    attention to places and moments; `initial`, `chunk`, `maps`, `candidates` and `flow` are not
    for it.

    Args:
        model: a model with the output "mixture" or "saliency", such as `zoo.rmdn()` and
            `zoo.lsts()`, or with the output "action"; or a `.keras` file; or a `Stream` or
            `ClipMaps` of a model: then many videos share its compiled graphs.
        video: a video file or a folder of numbered frames.
        output: folder for the files; None writes none. It must be new or empty.
        initial: what stands for the first 15 frames of a model that looks at clips of 16 (the
            first 78 for clips of 79): "repeat" the first prediction, "pad" the video with its
            first frame, which also makes videos of fewer frames possible, or "omit" them. The
            same is done at the end where the maps are for the clips' middle frames.
        chunk: frames the model is given at a time. It changes memory and speed, not the result.
        maps: "npz" (one float32 array a frame), "png" (one grey picture a frame) or None.
        candidates: how many of the likeliest places of each frame are listed.
        film: write the video with its saliency as a heat map.
        size: (height, width) of maps and film; default the video's, at most 1280 a side.
        precision: "bfloat16" is about twice as fast where the processor has it; None computes
            as the model was built.
        stride: of models of clips: a map is predicted for every so many frames, and for the
            last one; those between are interpolated. Of models of actions that take blocks of
            frames: a block begins at every so many frames.
        flow: of models of optical flow: "dis", "tvl1" or a function, see
            `zoo.datasets.video.flow.video_flow`; None: as the model was trained.
        classes: the names of the actions, such as `zoo.datasets.moving_targets.CLASSES`.
        mirror: predict the video's mirror image too, and give the mean; takes twice the time.
        overwrite: replace the files of an earlier prediction in `output`.
        progress: show a bar with the time left.

    Returns:
        A `Prediction`: the arrays, and the paths of the files; of actions an `ActionPrediction`;
        of `zoo.joint()` a `JointPrediction`, whose film has a line for the action and a strip of
        time.

    Example:

    ```python
    prediction = zoo.predict(model, "clip.mp4", output="out")
    prediction.map(40)
    ```
    """
    if maps not in ("npz", "png", None):
        raise ValueError(f'`maps` must be "npz", "png" or None. Received: maps={maps!r}')
    if candidates < 0:
        raise ValueError(f"`candidates` must be 0 or more. Received: candidates={candidates}")
    if initial not in INITIAL:
        raise ValueError(f"`initial` must be one of {INITIAL}. Received: initial={initial!r}")
    if size is not None and min(size) < 1:
        raise ValueError(f"`size` must be positive. Received: size={size}")
    video = video if isinstance(video, Video) else open_video(video)
    size = size or _default_size(video.height, video.width)
    model = load(model) if isinstance(model, (str, os.PathLike)) else model
    if is_joint(model):
        from zoo.inference.actions.predict_joint import predict_joint

        options = {"chunk": chunk, "maps": maps, "candidates": candidates, "precision": precision}
        options |= {"overwrite": overwrite, "progress": progress, "size": size, "film": film}
        options |= {"output": output, "initial": initial, "classes": classes, "mirror": mirror}
        return predict_joint(model, video, predict=predict, **options)
    if isinstance(model, keras.Model) and _names_actions(model):
        if mirror:
            raise ValueError(
                "`mirror` needs a model whose only output is 'mixture'. Received: the outputs "
                f"{sorted(model.output)}"
            )
        return predict_action(
            model,
            video,
            output=output,
            classes=classes,
            stride=stride,
            film=film,
            size=size,
            precision=precision,
            overwrite=overwrite,
        )
    if classes is not None:
        raise ValueError("`classes` is for models with the output 'action'. Received: another one")
    options = {"precision": precision, "stride": stride, "flow": flow, "mirror": mirror}
    stream = _stream(model, options)
    total = video.num_frames  # decodes once: a video that ends early is known before any work
    least = stream.missing + stream.trailing + 1
    if total < least and initial != "pad":
        raise ValueError(
            f"The video must have at least {least} frames for this model; "
            'initial="pad" repeats its first frame as often as is missing. '
            f"Received: {video.path}, {total} frames"
        )
    folder = None
    if output is not None:
        names = [*FILES.values(), "maps"]
        folder = claim_folder(output, overwrite=overwrite, known=names)
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(KeptOutputs(folder))
        sink = _Sink(candidates, size, kept)
        if folder is not None:
            if maps is not None:
                path = folder / (FILES["maps"] if maps == "npz" else "maps")
                sink.maps = stack.enter_context(MapWriter(path))
                sink.files["maps"] = str(path)
            if film:
                path = folder / FILES["film"]
                sink.film = stack.enter_context(
                    SaliencyFilm(path, fps=video.fps, height=size[0], width=size[1])
                )
                sink.files["film"] = str(path)
        bar = stack.enter_context(_progress(progress))
        task = bar.add_task(os.path.basename(str(video.path).rstrip("/")), total=total)
        writer = stack.enter_context(_Worker(sink.write))
        pieces = run_model(
            stream,
            video,
            initial=initial,
            chunk=chunk,
            frame_size=size if sink.film is not None else None,
        )
        for piece in stack.enter_context(contextlib.closing(pieces)):
            writer.put(piece)
            bar.advance(task, piece.count)
        writer.finish()
        outputs = kept.finish()
    seconds = time.perf_counter() - start
    prediction = Prediction(
        video=str(video.path),
        frames=np.asarray(sink.frames, np.int64),
        outputs=outputs,
        candidates=sink.candidates,
        num_frames=total,
        fps=float(video.fps),
        height=video.height,
        width=video.width,
        files={**sink.files, **kept.files},
    )
    if folder is not None:
        _write_arrays(prediction, folder)
        facts = {"initial": initial, "stride": stride, "precision": precision or "as built"}
        _write_summary(prediction, folder, size, facts, seconds)
    return prediction


def _stream(model, options) -> Stream | ClipMaps:
    if isinstance(model, keras.Model):
        saliency_output(output_names(model))
    stream = open_stream(model, **options)
    saliency_output(stream.output_names)
    return stream


def _names_actions(model) -> bool:
    names = set(output_names(model))
    return "action" in names and not names & set(SALIENCY_OUTPUTS)


def _default_size(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _progress(shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *columns, TextColumn("frames, time left"), TimeRemainingColumn(), disable=not shown
    )


class _Sink:
    """Takes pieces: keeps the small arrays, writes maps and film."""

    def __init__(self, num_candidates: int, size: tuple[int, int], kept: KeptOutputs):
        self.num_candidates = num_candidates
        self.size = size
        self.maps: MapWriter | None = None
        self.film: SaliencyFilm | None = None
        self.files: dict[str, str] = {}
        self.frames: list[int] = []
        self.kept = kept
        self.candidates: list[np.ndarray] = []

    def write(self, piece) -> None:
        if piece.outputs is None:
            if self.film is not None:
                for frame in piece.frames:
                    self.film.write(frame, None)
            return
        self.frames.extend(range(piece.start, piece.start + piece.count))
        self.kept.add(piece.outputs)
        found = outputs_candidates(piece.outputs, self.num_candidates)
        for index, places in enumerate(found):
            self.candidates.append(places)
            if self.maps is None and self.film is None:
                continue
            saliency = output_map(piece.outputs, index, *self.size)
            if self.maps is not None:
                self.maps.write(piece.start + index, saliency)
            if self.film is not None:
                self.film.write(piece.frames[index], saliency, places)


class _Worker:
    """Runs a function on items in a thread of its own, a few items behind at most."""

    def __init__(self, function):
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
                except BaseException as error:  # raised where the work is handed over
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


def _write_arrays(prediction: Prediction, folder) -> None:
    def lines():
        yield "frame,rank,x,y,share"
        for frame, places in zip(prediction.frames, prediction.candidates):
            for rank, (x, y, share) in enumerate(places):
                yield f"{frame},{rank},{x:.5f},{y:.5f},{share:.5f}"

    write_text(folder / FILES["candidates"], lines())
    path = folder / FILES["arrays"]
    part = folder / f".{FILES['arrays']}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            small = {n: v for n, v in prediction.outputs.items() if n not in prediction.files}
            np.savez(file, frames=prediction.frames, **small)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    prediction.files["candidates"] = str(folder / FILES["candidates"])
    prediction.files["arrays"] = str(path)


def _write_summary(prediction, folder, size, facts, seconds) -> None:
    prediction.files["summary"] = str(folder / FILES["summary"])
    summary = {
        "video": prediction.video,
        "num_frames": prediction.num_frames,
        "predicted_frames": len(prediction.frames),
        "fps": prediction.fps,
        "height": prediction.height,
        "width": prediction.width,
        "map_height": size[0],
        "map_width": size[1],
        **facts,
        "seconds": round(seconds, 3),
        "seconds_a_frame": round(seconds / prediction.num_frames, 5),
        "outputs": {name: list(value.shape) for name, value in prediction.outputs.items()},
        "files": {kind: os.path.basename(path) for kind, path in prediction.files.items()},
    }
    write_json(folder / FILES["summary"], summary)
