"""A video to the action that a model names, and where and when it looks."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.video.reading import Video
from zoo.inference.streaming.adapt import adapt, compile_for_inference, quiet_retracing
from zoo.inference.writing.output import claim_folder, write_json
from zoo.layers.per_step import PerStep
from zoo.metrics.spatial_localisation import attention_boxes
from zoo.metrics.temporal_localisation import attention_segments
from zoo.visualize.attention import attention_film, attention_picture, temporal_curve, write_png

FILES = {
    "film": "attention.mp4",
    "picture": "attention.png",
    "curve": "when.png",
    "arrays": "prediction.npz",
    "summary": "attention.json",
}
BLOCK = 30  # frames of a block where the model takes any number of them
BATCH = 8  # blocks or frames in one call
SHOWN = 8  # frames in the picture


@dataclass(frozen=True)
class ActionPrediction:
    """What an action model says about one video.

    Attributes:
        video: path of the video.
        frames: (n,) numbers of the frames that the model was given, from 0.
        outputs: "action" (classes,), probabilities of the whole video; where the model has them
            "spatial_attention" (n, rows, columns) and "temporal_attention" (steps, n).
        classes: the classes' names, or None.
        num_frames, fps, height, width: of the video.
        files: what was written, kind to path: "film", "picture", "curve", "arrays", "summary".

    Example:

    ```python
    prediction = zoo.predict(model, "clip.mp4", output="out", classes=ucf101.CLASSES)
    prediction.top(3)  # [("Archery", 0.61), ...]
    ```
    """

    video: str
    frames: np.ndarray
    outputs: dict[str, np.ndarray]
    classes: tuple[str, ...] | None
    num_frames: int
    fps: float
    height: int
    width: int
    files: dict[str, str] = field(default_factory=dict)

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The likeliest classes and their probabilities, the likeliest first."""
        action = self.outputs["action"]
        order = np.argsort(-action, kind="stable")[:count]
        names = self.classes or [str(index) for index in range(len(action))]
        return [(names[index], float(action[index])) for index in order]


def predict_action(
    model: keras.Model,
    video: Video,
    *,
    output: str | os.PathLike | None = None,
    classes: Sequence[str] | None = None,
    stride: int = 1,
    film: bool = True,
    size: tuple[int, int],
    precision: str | None = None,
    overwrite: bool = False,
) -> ActionPrediction:
    """Names a video's action; see `zoo.predict`.

    A model that names one action for its frames is given frames spread over the video, one from
    the middle of each equal part. One that names an action at every step is given all blocks of
    consecutive frames, and its probabilities are averaged over steps and blocks, its attention
    to a frame over the blocks that hold the frame; each frame goes through the backbone once.
    """
    if stride < 1:
        raise ValueError(f"`stride` must be at least 1. Received: stride={stride}")
    model = adapt(model, precision=precision, any_length=False)
    count = model.output["action"].shape[-1]
    if classes is not None and len(classes) != count:
        raise ValueError(
            "`classes` must name every class of the model. "
            f"Received: {len(classes)} names, {count} classes"
        )
    runner = _Runner(model)
    total = video.num_frames
    if total < runner.least:
        raise ValueError(
            f"The video must have at least {runner.least} frames for this model. "
            f"Received: {video.path}, {total} frames"
        )
    folder = None
    if output is not None:
        folder = claim_folder(output, overwrite=overwrite, known=FILES.values())
    start = time.perf_counter()
    frames, outputs = runner.blocks(video, stride) if runner.stepwise else runner.spread(video)
    prediction = ActionPrediction(
        video=str(video.path),
        frames=frames,
        outputs=outputs,
        classes=None if classes is None else tuple(classes),
        num_frames=total,
        fps=float(video.fps),
        height=video.height,
        width=video.width,
    )
    if folder is not None:
        found = _located(prediction, size)
        _draw(prediction, video, folder, size, film, found)
        _write(prediction, folder, found, stride if runner.stepwise else None, start)
    return prediction


def spread_frames(length: int, count: int) -> np.ndarray:
    """The middle frame of each of `count` equal parts of a video."""
    return np.minimum(((np.arange(count) + 0.5) * length / count).astype(int), length - 1)


class _Runner:
    """A model split where its frames' features are known, with its way of taking frames."""

    def __init__(self, model: keras.Model):
        self.model = model
        rgb = next((t for t in model.inputs if t.name == "rgb"), None)
        if rgb is None or len(rgb.shape) != 5 or rgb.shape[-1] != 3:
            shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
            raise ValueError(
                "A model of videos must take frames `rgb` (frames, height, width, 3); join a head "
                f"of features to its backbone first. Received: inputs {shapes}"
            )
        others = sorted({tensor.name for tensor in model.inputs} - {"rgb", "present"})
        if others:
            raise ValueError(f"A model must take `rgb` alone. Received: also {others}")
        self.stepwise = len(model.output["action"].shape) == 3
        self.length = rgb.shape[1]
        self.size = tuple(rgb.shape[2:4])
        self.padded = any(tensor.name == "present" for tensor in model.inputs)
        self.least = 1 if self.padded or self.length is None else self.length
        self._trunk, self._head = _split(model)

    def spread(self, video: Video):
        """Frames spread over the video, given at once."""
        total = video.num_frames
        length = self.length or min(BLOCK, total)
        held = min(length, total)
        frames = spread_frames(total, held)
        features = self._features(video.read(frames, size=self.size))
        missing = length - held  # only where the model takes `present`
        features = np.concatenate([features, np.repeat(features[-1:], missing, axis=0)])
        outputs = self._call(features[None], np.arange(length)[None] < held)
        found = {name: value[0] for name, value in outputs.items()}
        if "spatial_attention" in found:
            found["spatial_attention"] = found["spatial_attention"][:held]
        if "temporal_attention" in found:
            found["temporal_attention"] = found["temporal_attention"][:, :held]
        return frames, found

    def blocks(self, video: Video, stride: int):
        """Every block of consecutive frames, the last one always; memory holds a few."""
        total = video.num_frames
        length = self.length or min(BLOCK, total)
        starts = deque(sorted({*range(0, total - length + 1, stride), max(0, total - length)}))
        held: deque = deque()  # features of frames `first`, `first + 1`, ...
        first, waiting, sums = 0, [], _Sums(total)

        def flush():
            if waiting:
                places, blocks = zip(*waiting)
                blocks = np.stack(blocks + blocks[-1:] * (BATCH - len(blocks)))
                outputs = self._call(blocks, np.ones(blocks.shape[:2], bool))
                for index, place in enumerate(places):
                    sums.add(place, {name: value[index] for name, value in outputs.items()})
                waiting.clear()

        for images in _batches(video.frames(size=self.size), BATCH):
            held.extend(self._features(images))
            while starts and starts[0] + length <= first + len(held):
                while first < starts[0]:
                    held.popleft()
                    first += 1
                block = [held[index] for index in range(length)]
                waiting.append((starts.popleft(), np.stack(block)))
                if len(waiting) == BATCH:
                    flush()
        flush()
        return np.arange(total), sums.means()

    def _features(self, images: np.ndarray) -> np.ndarray:
        if self._trunk is None:
            return images.astype(np.float32)
        parts = []
        for at in range(0, len(images), BATCH):
            part = images[at : at + BATCH]
            padded = np.concatenate([part, np.repeat(part[-1:], BATCH - len(part), axis=0)])
            parts.append(np.asarray(self._trunk.predict_on_batch(padded))[: len(part)])
        return np.concatenate(parts).astype(np.float32)

    def _call(self, features: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
        given = [features, present.astype(np.float32)] if self.padded else features
        with quiet_retracing():
            outputs = self._head.predict_on_batch(given)
        return {name: np.asarray(value, np.float32) for name, value in outputs.items()}


class _Sums:
    """Means over blocks: of the action, and of what is said of each frame."""

    def __init__(self, total: int):
        self.total = total
        self.action, self.count = 0.0, 0
        self.frames: dict[str, np.ndarray] = {}
        self.held = np.zeros(total)

    def add(self, place: int, outputs: dict[str, np.ndarray]) -> None:
        self.action = self.action + outputs.pop("action").mean(axis=0).astype(np.float64)
        self.count += 1
        for name, values in outputs.items():
            if name not in self.frames:
                self.frames[name] = np.zeros((self.total, *values.shape[1:]), np.float32)
            self.frames[name][place : place + len(values)] += values
        length = len(next(iter(outputs.values()))) if outputs else 0
        self.held[place : place + length] += 1

    def means(self) -> dict[str, np.ndarray]:
        found = {"action": (self.action / self.count).astype(np.float32)}
        for name, values in self.frames.items():
            count = np.maximum(self.held, 1).astype(np.float32)
            found[name] = values / count.reshape(-1, *[1] * (values.ndim - 1))
        return found


def _split(model):
    """(frame -> features, features -> outputs); (None, the model) without a layer per frame."""
    layers = [layer for layer in model.layers if isinstance(layer, PerStep)]
    if len(layers) != 1 or layers[0].name != "backbone":
        return None, compile_for_inference(model)
    rest = [tensor for tensor in model.inputs if tensor.name != "rgb"]
    head = keras.Model([layers[0].output, *rest] if rest else layers[0].output, model.output)
    return compile_for_inference(layers[0].layer), compile_for_inference(head)


def _batches(frames, count):
    held = []
    for frame in frames:
        held.append(frame)
        if len(held) == count:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)


def _located(prediction, size) -> dict:
    """Boxes of the given frames and segments of the video, by the papers' rules."""
    found = {}
    spatial = prediction.outputs.get("spatial_attention")
    temporal = prediction.outputs.get("temporal_attention")
    if spatial is not None:
        highest = spatial.reshape(len(spatial), -1).max(axis=1)
        relative = spatial / np.maximum(highest, 1e-12)[:, None, None]
        found["boxes"] = attention_boxes(relative, *size)
    if temporal is not None:
        seconds = prediction.num_frames / prediction.fps
        label = int(prediction.outputs["action"].argmax())
        segments = attention_segments(prediction.video, label, temporal, seconds)
        found["segments"] = [(s.start / seconds, s.end / seconds) for s in segments]
    return found


def _draw(prediction, video, folder: Path, size, film: bool, found) -> None:
    spatial = prediction.outputs.get("spatial_attention")
    temporal = prediction.outputs.get("temporal_attention")
    if spatial is None and temporal is None:
        return
    chosen = np.unique(np.linspace(0, len(prediction.frames) - 1, SHOWN).round().astype(int))
    picture = attention_picture(
        video.read(prediction.frames[chosen], size=size),
        None if spatial is None else spatial[chosen],
        None if temporal is None else temporal[:, chosen],
        predicted_boxes=found["boxes"][chosen] if "boxes" in found else None,
        columns=SHOWN,
    )
    write_png(folder / FILES["picture"], picture)
    prediction.files["picture"] = str(folder / FILES["picture"])
    if temporal is not None:
        curve = temporal_curve(temporal, predicted_segments=found["segments"])
        write_png(folder / FILES["curve"], curve)
        prediction.files["curve"] = str(folder / FILES["curve"])
    if film:
        attention_film(
            folder / FILES["film"],
            video.frames(size=size),
            _every_frame(spatial, prediction),
            None if temporal is None else _every_frame(temporal.mean(axis=0), prediction),
            fps=video.fps,
        )
        prediction.files["film"] = str(folder / FILES["film"])


def _every_frame(values, prediction):
    """Values (n, ...) at the given frames as values at every frame, interpolated between."""
    if values is None or len(values) == prediction.num_frames:
        return values
    where = np.interp(np.arange(prediction.num_frames), prediction.frames, np.arange(len(values)))
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
    return values[low] * (1 - share) + values[high] * share


def _write(prediction, folder: Path, found, stride, start) -> None:
    path = folder / FILES["arrays"]
    part = folder / f".{FILES['arrays']}.{os.getpid()}.part"
    try:
        with open(part, "wb") as file:
            np.savez(file, frames=prediction.frames, **prediction.outputs)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    prediction.files["arrays"] = str(path)
    prediction.files["summary"] = str(folder / FILES["summary"])
    spatial = prediction.outputs.get("spatial_attention")
    temporal = prediction.outputs.get("temporal_attention")
    summary = {
        "video": prediction.video,
        "num_frames": prediction.num_frames,
        "fps": prediction.fps,
        "top": [{"class": name, "probability": p} for name, p in prediction.top()],
        "frames": prediction.frames,
        "block_stride": stride,
        "temporal_attention": None if temporal is None else temporal.mean(axis=0),
        "segments_seconds": [
            [share * prediction.num_frames / prediction.fps for share in segment]
            for segment in found.get("segments", [])
        ],
        "spatial_attention_peaks": None if spatial is None else _peaks(spatial),
        "seconds": round(time.perf_counter() - start, 3),
        "outputs": {name: list(value.shape) for name, value in prediction.outputs.items()},
        "files": {kind: os.path.basename(path) for kind, path in prediction.files.items()},
    }
    write_json(folder / FILES["summary"], summary)


def _peaks(spatial) -> list[list[float]]:
    """x, y in [0, 1] and value of each frame's highest place."""
    _, rows, columns = spatial.shape
    peaks = []
    for weights in spatial:
        row, column = np.unravel_index(weights.argmax(), weights.shape)
        peaks.append([(column + 0.5) / columns, (row + 0.5) / rows, float(weights[row, column])])
    return peaks
