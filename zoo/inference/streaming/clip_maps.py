"""Saliency maps for every frame from a model that predicts one map per long clip."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import keras
import numpy as np

from zoo.datasets.video.flow import dis_flow, video_flow
from zoo.inference.streaming.adapt import adapt, compiled_copy, quiet_retracing
from zoo.layers.saliency_map import SaliencyMap

OUTPUT = "saliency"
FLOWS = ("dis", "tvl1")
FLOW = {"method": "dis", "size": (112, 112), "scale_vectors": True}
VALUES = 4_000_000  # limit on clips x time x height x width in one model call


class ClipMaps:
    """Slides a clip model with the output "saliency" over a video; same interface as `Stream`.

    Only the frames (and their flow) of one clip are kept. Flow is computed on the fly from the
    frames at the model's input size; frame 0 has none, so the first flow clip begins at frame 1.

    Args:
        model: `zoo.lsts()` for frames, flow or both.
        precision: see `Stream`.
        stride: predict a map for every `stride`-th frame and for the last one, and interpolate
            the maps in between.
        flow: "dis", "tvl1" or a function that `zoo.datasets.video.flow.video_flow` accepts; None:
            the method that the model was trained with if it records one, otherwise "dis".
        batch: clips per model call; None: as many as have four million positions (`VALUES`)
            together, at most 32.

    Attributes:
        missing: number of initial frames without a full clip, so without a map.
        trailing: number of final frames without a map, if maps are for the clip's centre.
        chunk: recommended number of frames per push.

    Example:

    ```python
    maps = ClipMaps(zoo.lsts(streams="both"), stride=4)
    for chunk in chunks:                       # (n, height, width, 3)
        saliency = maps.push(chunk).get("saliency")  # (m, 360, 640), m may differ from n
    saliency = maps.finish()["saliency"]
    ```
    """

    output_names = (OUTPUT,)

    def __init__(
        self,
        model: keras.Model,
        *,
        precision: str | None = None,
        stride: int = 1,
        flow: str | Callable | None = None,
        batch: int | None = None,
    ):
        if stride < 1:
            raise ValueError(f"`stride` must be at least 1. Received: stride={stride}")
        model = adapt(model, precision=precision, any_length=False)
        self._graph = model.to_json()
        self._model = compiled_copy(model)
        self.stride = stride
        shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
        _check_inputs(shapes)
        if flow is not None and "flow" not in shapes:
            raise ValueError(
                "`flow` is for models with the input 'flow'. "
                f"Received: flow={flow!r} for inputs {sorted(shapes)}"
            )
        self._names = tuple(shapes)
        self._length, height, width = next(iter(shapes.values()))[:3]
        self.frame_shape = (height, width, 3)
        layer = _map_layer(model)
        place = self._length - 1 if layer is None else layer.target_frame(self._length)
        self.trailing = self._length - 1 - place
        self.missing = place + ("flow" in shapes)
        self.delay = self.trailing
        self.chunk = 16
        self._method, self._flow = _flow_options(flow, None if layer is None else layer.flow)
        self.batch = batch or max(1, min(32, VALUES // (self._length * height * width)))
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next chunk begins a new one."""
        self._frames = np.zeros((0, *self.frame_shape), np.uint8)
        self._fields = np.zeros((0, *self.frame_shape[:2], 2), np.float32)
        self._start = 0  # number of the first frame kept
        self._next = self.missing  # number of the next frame that gets a map
        self._known: tuple[int, np.ndarray] | None = None  # the last predicted map

    def identity(self) -> list:
        """What identifies this model: its graph, weights, stride and flow."""
        flow = {**self._flow, "method": self._method} if "flow" in self._names else None
        return [self._graph, self.stride, repr(flow), *self._model.get_weights()]

    @property
    def num_frames(self) -> int:
        """Frames fed so far."""
        return self._start + len(self._frames)

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the next frames (n, ...); return the maps completed by them, (m, ...)."""
        frames = np.asarray(frames)
        if frames.shape[1:] != self.frame_shape:
            raise ValueError(
                f"Frames must have shape (n, {', '.join(map(str, self.frame_shape))}). "
                f"Received: shape={frames.shape}"
            )
        if "flow" in self._names:
            self._fields = np.concatenate([self._fields, self._new_fields(frames)])
        self._frames = np.concatenate([self._frames, frames])
        first = self.missing if self._known is None else self._known[0] + self.stride
        found = self._predict(range(first, self.num_frames - self.trailing, self.stride))
        self._forget()
        return found

    def finish(self) -> dict[str, np.ndarray]:
        """End the video and return the remaining maps, up to the last frame with a full clip."""
        last = self.num_frames - 1 - self.trailing
        if last < self.missing:
            raise ValueError(
                f"This model needs at least {self.missing + self.trailing + 1} frames; "
                'initial="pad" fills in for missing ones with copies of the first. '
                f"Received: {self.num_frames} frames"
            )
        return self._predict([last] if last >= self._next else [])

    def _new_fields(self, frames):
        before = self._frames[-1:] if len(self._frames) else frames[:1]
        size = self.frame_shape[:2]
        pairs = itertools.chain(before, frames)
        fields = np.stack(list(video_flow(pairs, output_size=size, **self._flow)))
        # Identical frames have zero flow, whatever the method estimates.
        same = (np.concatenate([before, frames[:-1]]) == frames).all(axis=(1, 2, 3))
        fields[same] = 0.0
        return fields

    def _predict(self, targets) -> dict[str, np.ndarray]:
        targets, found = list(targets), []
        for at in range(0, len(targets), self.batch):
            part = targets[at : at + self.batch]
            for target, saliency in zip(part, self._maps(part)):
                found.extend(self._up_to(target, saliency))
        return {OUTPUT: np.stack(found)} if found else {}

    def _maps(self, targets) -> np.ndarray:
        ends = [target + self.trailing + 1 - self._start for target in targets]
        # Always full batches: any other size would trigger a recompilation.
        padded = ends + ends[-1:] * (self.batch - len(ends))
        inputs = {}
        for name in self._names:
            held = self._frames if name == "rgb" else self._fields
            inputs[name] = np.stack([held[end - self._length : end] for end in padded])
        given = inputs if len(inputs) > 1 else inputs[self._names[0]]
        with quiet_retracing():
            outputs = self._model.predict_on_batch(given)
        return np.asarray(outputs[OUTPUT], np.float32)[: len(targets)]

    def _up_to(self, target, saliency):
        """Interpolated maps since the last prediction, then this one."""
        if self._known is None:
            maps = [saliency]
        else:
            before, earlier = self._known
            gap = target - before
            shares = np.arange(1, gap + 1, dtype=np.float32) / gap
            maps = [saliency if s == 1 else (1 - s) * earlier + s * saliency for s in shares]
        self._known, self._next = (target, saliency), target + 1
        return maps

    def _forget(self):
        # Keep the last clip, in case no frame follows. Later clips begin after it.
        drop = self.num_frames - self._length - self._start
        if drop > 0:
            self._frames = self._frames[drop:].copy()
            self._fields = self._fields[drop:].copy()
            self._start += drop


def _check_inputs(shapes):
    known = {"rgb": 3, "flow": 2}
    for name, shape in shapes.items():
        if known.get(name) != shape[-1] or len(shape) != 4 or None in shape:
            raise ValueError(
                "The model must have the inputs `rgb` (frames, height, width, 3) and/or `flow` "
                "(frames, height, width, 2); a head that takes features must be joined to its "
                "backbone. "
                f"Received: input {name!r} of shape {shape}"
            )
    if len({shape[:3] for shape in shapes.values()}) > 1:
        raise ValueError(f"Frames and flow must have the same length and size. Received: {shapes}")


def _map_layer(model):
    return next((la for la in model._flatten_layers() if isinstance(la, SaliencyMap)), None)


def _flow_options(flow, trained) -> tuple[str, dict]:
    """The method's name, and the arguments for `video_flow`."""
    options = {**FLOW, **(trained or {})}
    method = options["method"] if flow is None else flow
    options["size"] = tuple(options["size"])
    if method == "dis":
        return method, {**options, "method": dis_flow()}
    if method == "tvl1":
        from zoo.layers import tvl1_function

        return method, {**options, "method": tvl1_function(options["size"])}
    if not callable(method):
        raise ValueError(f"`flow` must be one of {FLOWS} or a function. Received: flow={flow!r}")
    return getattr(method, "__qualname__", type(method).__qualname__), {**options, "method": method}
