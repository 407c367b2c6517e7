"""Predict a video's action, and where and when the model attends."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence

import keras
import numpy as np

from zoo.inference.actions.action_prediction import KNOWN, ActionPrediction
from zoo.inference.streaming.adapt import (
    adapt,
    compile_for_inference,
    compiled_copy,
    quiet_retracing,
)
from zoo.inference.streaming.sources import AnyVideo
from zoo.inference.writing.output import claim_folder
from zoo.layers.per_step import PerStep

BLOCK = 30  # frames per block if the model accepts any number
BATCH = 8  # blocks or frames per model call


def predict_action(
    model: keras.Model,
    video: AnyVideo,
    *,
    output: str | os.PathLike | None = None,
    classes: Sequence[str] | None = None,
    stride: int = 1,
    film: bool = True,
    sound: bool = True,
    size: tuple[int, int],
    precision: str | None = None,
    overwrite: bool = False,
) -> ActionPrediction:
    """Predicts a video's action; see `zoo.predict`.

    A model that predicts one action for all its frames is given frames spread over the video, one
    from the middle of each of several equal parts. A model that predicts an action at every step is
    given blocks of consecutive frames, one every `stride` frames: its probabilities are averaged
    over steps and blocks, and its attention to a frame over the blocks that contain the frame. Each
    frame passes through the backbone once.
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
    if stride != 1 and not runner.stepwise:
        raise ValueError(
            "`stride` is for models that predict an action at every step; this one is given frames "
            f"spread over the video. Received: stride={stride}"
        )
    total = video.num_frames
    if total < runner.least:
        raise ValueError(
            f"The video must have at least {runner.least} frames for this model. "
            f"Received: {video.path}, {total} frames"
        )
    folder = None
    if output is not None:
        folder = claim_folder(output, overwrite=overwrite, known=KNOWN)
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
        seconds=time.perf_counter() - start,
        source=video,
        block_stride=stride if runner.stepwise else None,
    )
    if folder is not None:
        prediction.write(folder, film, size, sound=sound)
    return prediction


def spread_frames(length: int, count: int) -> np.ndarray:
    """The middle frame of each of `count` equal parts of a video."""
    return np.minimum(((np.arange(count) + 0.5) * length / count).astype(int), length - 1)


class _Runner:
    """A model split after its per-frame backbone, with the way its frames are sampled."""

    def __init__(self, model: keras.Model):
        self.model = model
        rgb = next((t for t in model.inputs if t.name == "rgb"), None)
        if rgb is None or len(rgb.shape) != 5 or rgb.shape[-1] != 3:
            shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
            raise ValueError(
                "The model must have the input `rgb` (frames, height, width, 3); a head that takes "
                f"features must be joined to its backbone. Received: inputs {shapes}"
            )
        others = sorted({tensor.name for tensor in model.inputs} - {"rgb", "present"})
        if others:
            raise ValueError(f"`rgb` must be the only input of the model. Received: also {others}")
        self.stepwise = len(model.output["action"].shape) == 3
        self.length = rgb.shape[1]
        self.size = tuple(rgb.shape[2:4])
        self.padded = any(tensor.name == "present" for tensor in model.inputs)
        self.least = 1 if self.padded or self.length is None else self.length
        self._trunk, self._head = _split(model)

    def spread(self, video: AnyVideo):
        """Predict from frames spread over the video, in one call."""
        total = video.num_frames
        length = self.length or min(BLOCK, total)
        held = min(length, total)
        frames = spread_frames(total, held)
        features = self._features(video.read(frames, size=self.size))
        missing = length - held  # only for models with the input `present`
        features = np.concatenate([features, np.repeat(features[-1:], missing, axis=0)])
        outputs = self._call(features[None], np.arange(length)[None] < held)
        found = {name: value[0] for name, value in outputs.items()}
        if "spatial_attention" in found:
            found["spatial_attention"] = found["spatial_attention"][:held]
        if "temporal_attention" in found:
            found["temporal_attention"] = found["temporal_attention"][:, :held]
        return frames, found

    def blocks(self, video: AnyVideo, stride: int):
        """Predict from blocks of consecutive frames, always including the last block.

        Only a few blocks are in memory at a time.
        """
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
    """Averages over blocks the action, and each frame's outputs."""

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
    """(frame -> features, features -> outputs); (None, the model) without a per-frame backbone."""
    layers = [layer for layer in model.layers if isinstance(layer, PerStep)]
    if len(layers) != 1 or layers[0].name != "backbone":
        return None, compiled_copy(model)
    rest = [tensor for tensor in model.inputs if tensor.name != "rgb"]
    head = keras.Model([layers[0].output, *rest] if rest else layers[0].output, model.output)
    return compiled_copy(layers[0].layer), compile_for_inference(head)


def _batches(frames, count):
    held = []
    for frame in frames:
        held.append(frame)
        if len(held) == count:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
