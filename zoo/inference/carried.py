"""A model of whole videos, step by step: what its layers still need is carried, never recomputed.

A layer that looks at k frames needs the last k - 1 of its own input when the next frames come. Here
each such layer keeps them, so that every frame passes every layer once. The first step pads on the
left as the layer does at the video's beginning, the last one on the right, and between them no
padding is computed at all: a layer that looks ahead simply lags.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers, ops

from zoo.inference.adapt import compile_for_inference, quiet_retracing
from zoo.layers import temporal_phases as phases
from zoo.layers.clip_scaling import ClipScaling
from zoo.layers.input_normalization import InputNormalization
from zoo.layers.mixture_density import MixtureDensity
from zoo.layers.per_step import PerStep

# Layers whose output at a frame depends on that frame alone, whatever their arguments.
_POINTWISE = (
    layers.Activation,
    layers.Add,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.ELU,
    layers.LeakyReLU,
    layers.Maximum,
    layers.Multiply,
    layers.ReLU,
    layers.Rescaling,
    layers.TimeDistributed,
    InputNormalization,
    MixtureDensity,
    PerStep,
)
_LOWEST = -3e38  # below every activation, and a number in bfloat16 too


class NotCarried(ValueError):
    """A model with a layer whose border is not known; the message names it."""


@dataclass
class _Node:
    """One operation of the plan."""

    kind: str  # "call", "conv", "pool", "max", "mean", "pad", "hold", "split", "merge"
    layer: object
    inputs: list[int]
    output: int
    splits: tuple[int, ...] = ()  # the splits in force: (2, 2) is four phases
    size: int = 1  # frames a phase that the layer looks at
    after: int = 0  # of these, behind the present one
    delay: int = 0  # frames that the layer's input lags behind the video
    carry: int | None = None


@dataclass
class _Signal:
    place: int
    shape: tuple
    delay: int = 0
    splits: tuple[int, ...] = ()
    pad: tuple[int, int] = (0, 0)  # of a padding layer, not applied yet


class CarriedTrunk:
    """Runs a model of one output a frame over a video in steps, carrying its layers' borders.

    Args:
        model: a functional model from (1, time, ...) to (1, time, ...).
        step: frames taken at a time: a multiple of the model's phases (8 for C3D, 4 for I3D), or
            1 for a causal model that answers every frame at once.

    Attributes:
        delay: the outputs lag so many frames behind the frames fed.

    Raises:
        NotCarried: a layer is none of those whose border is known.

    Example:

    ```python
    trunk = CarriedTrunk(zoo.backbones.c3d(dense=True), step=32)
    for chunk in chunks:
        features = trunk.push(chunk)  # (n, ...): n = 0 until `delay` frames have been fed
    features = trunk.finish()
    ```
    """

    def __init__(self, model: keras.Model, *, step: int = 32):
        plan = _Plan(model)
        self.model = compile_for_inference(keras.Model(model.inputs[0], model.outputs[0]))
        self.delay = plan.output.delay
        self.phases = plan.phases
        if step < 1 or (step % plan.phases and (step > 1 or self.delay)):
            raise ValueError(
                f"`step` must be a multiple of the model's {plan.phases} phases"
                f"{'' if self.delay else ', or 1'}. Received: step={step}"
            )
        self.step = self.chunk = step
        single = step == 1
        self._carry = _Carry(plan.carries, single)
        self._steady = _Step(model, plan, self._carry, "steady", single)
        # Lengths at which every layer's frames divide into its phases.
        self._first = self.step
        if self.delay:
            self._first = plan.fitting(max(self.step, plan.least, self.delay + plan.phases), -1)
            self._start = _Step(model, plan, self._carry, "start", single)
            self._final = _Step(model, plan, self._carry, "final", single)
        self._plan = plan
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next frames are the beginning of another one."""
        self._held: list[np.ndarray] = []
        self.held = 0  # frames that wait for a step
        self._running = not self.delay
        self._carry.reset()

    def push(self, frames: np.ndarray) -> np.ndarray | None:
        """Feed frames (n, ...); get the outputs that are complete, (m, ...), or None."""
        if len(frames):
            self._held.append(np.ascontiguousarray(frames))
            self.held += len(frames)
        results = []
        while self.held >= (self.step if self._running else self._first):
            model = self._steady if self._running else self._start
            taken = self._take(self.step if self._running else self._first)
            results.append(_run(model, taken))
            self._running = True
        return _join(results)

    def finish(self) -> np.ndarray | None:
        """The outputs that were still missing, now that no frame follows."""
        rest = self._take(self.held)
        if not self._running:  # a video shorter than the first step: the model as it is
            return _run(self.model, rest) if len(rest) else None
        if not self.delay:  # causal: what is appended changes nothing before it
            return _run(self._steady, _filled(rest, self.step))[: len(rest)] if len(rest) else None
        count = len(rest)
        length = self._plan.fitting(max(count, 1), +1)
        if not count:
            rest = np.zeros((1, *self.model.input_shape[2:]), np.uint8)
        out = _run(self._final, [_filled(rest, length)[None], np.array([[count]], np.int32)])
        return out[: count + self.delay]

    def _take(self, count: int) -> np.ndarray:
        if not count:
            return np.zeros((0,))
        held = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held = [held[count:].copy()] if len(held) > count else []
        self.held -= count
        return held[:count]


def _run(model, frames):
    if isinstance(frames, np.ndarray):
        frames = frames[None]
    with quiet_retracing():
        return np.asarray(model.predict_on_batch(frames))[0]


def _filled(frames: np.ndarray, length: int) -> np.ndarray:
    if len(frames) == length:
        return frames
    return np.concatenate(
        [frames, np.zeros((length - len(frames), *frames.shape[1:]), frames.dtype)]
    )


def _join(parts: list[np.ndarray]) -> np.ndarray | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class _Plan:
    """The model's operations in order, with the reach, the lag and the phases of each."""

    def __init__(self, model: keras.Model):
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise NotCarried("A model carried from step to step must have one input and one output")
        self.nodes: list[_Node] = []
        self.carries: list[tuple] = []  # (shape of a frame, type, phases, frames a phase, fill)
        self.phases = 1
        self._places = 1
        source = _Signal(0, tuple(model.inputs[0].shape[2:]))
        self.output = self._model(model, [source])
        if self.output.splits or self.output.pad != (0, 0):
            raise NotCarried("A model's phases must be merged at its end")
        # So many frames fill every border.
        held = [(n, self.carries[n.carry]) for n in self.nodes if n.carry is not None]
        self.least = max((n.delay + c[2] * c[3] for n, c in held), default=1)

    def fitting(self, least: int, sign: int) -> int:
        """The smallest number of frames, `least` or more, that splits evenly in every layer.

        `sign` tells whether a layer's lag is missing at the beginning (-1) or comes at the end.
        """
        splits = [n for n in self.nodes if n.kind == "split"]
        for length in range(least, least + 8 * self.phases + 1):
            if all((length + sign * n.delay) % n.size == 0 for n in splits):
                return length
        raise NotCarried("No number of frames fits all phases of this model")

    def _model(self, model, sources: list[_Signal]) -> _Signal:
        known = {id(t): s for t, s in zip(model.inputs, sources)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    inputs = [known[id(t)] for t in node.input_tensors]
                    found = self._operation(node.operation, inputs, node)
                    known[id(node.output_tensors[0])] = found
        return known[id(model.outputs[0])]

    def _operation(self, layer, inputs: list[_Signal], node) -> _Signal:
        if isinstance(layer, keras.Model):
            return self._model(layer, inputs)
        if len(node.output_tensors) != 1:
            raise NotCarried(f"A layer must have one output. Received: layer={layer.name!r}")
        shape = tuple(node.output_tensors[0].shape[2:])
        if None in shape:
            raise NotCarried(f"Frames must have one size. Received: layer={layer.name!r}, {shape}")
        first = inputs[0]
        if isinstance(layer, (phases.PadTime, phases.CropTime, phases.MaskPaddedTime)):
            return first  # steps are never padded but in the last one, which masks for itself
        if isinstance(layer, phases.MergePhases):
            return self._merge(layer, first)
        if isinstance(layer, phases.SplitPhases):
            factor = layer.factor
            out = _Signal(self._place(), shape, first.delay, (*first.splits, factor))
            self.phases = max(self.phases, int(np.prod(out.splits)))
            size = int(np.prod(out.splits))
            self._add("split", layer, [first], out, size=size, delay=first.delay)
            return out
        if isinstance(layer, layers.ZeroPadding3D) and any(layer.padding[0]):
            out = _Signal(self._place(), shape, first.delay, first.splits, tuple(layer.padding[0]))
            self._add("pad", layer, [first], out)
            return out
        if first.pad != (0, 0) and not isinstance(layer, layers.Conv3D):
            raise NotCarried(
                f"A padding must be followed by a convolution. Received: {layer.name!r}"
            )
        if isinstance(layer, phases.NeighbourMax):
            return self._window("max", layer, first, shape, layer.size, layer.after, 0.0)
        if isinstance(layer, phases.TrailingMean):
            return self._window("mean", layer, first, shape, layer.size, 0, 0.0)
        if isinstance(layer, layers.Conv3D) and not isinstance(layer, layers.Conv3DTranspose):
            return self._windowed("conv", layer, layer.kernel_size[0], first, shape, 0.0)
        if isinstance(layer, layers.MaxPooling3D):
            if layer.pool_size[0] == 1 and layer.strides[0] == 1:
                return self._call(layer, inputs, shape)
            return self._windowed("pool", layer, layer.pool_size[0], first, shape, _LOWEST)
        if self._is_pointwise(layer):
            return self._call(layer, inputs, shape)
        raise NotCarried(f"It is not known what this layer needs to carry: {layer.name!r}")

    def _is_pointwise(self, layer) -> bool:
        if isinstance(layer, layers.Concatenate):
            return layer.axis not in (0, 1)
        if isinstance(layer, layers.Reshape):
            return layer.target_shape[0] == -1
        if isinstance(layer, layers.ZeroPadding3D):
            return not any(layer.padding[0])
        if isinstance(layer, layers.AveragePooling3D):
            return layer.pool_size[0] == layer.strides[0] == 1
        if isinstance(layer, ClipScaling):
            return layer.mode == "fixed"
        return isinstance(layer, _POINTWISE)

    def _windowed(self, kind, layer, size, first, shape, fill) -> _Signal:
        dilation = getattr(layer, "dilation_rate", (1,))[0]
        if layer.strides[0] != 1 or (dilation != 1 and size > 1):
            raise NotCarried(
                "A layer must have no stride and no dilation in time. Received: "
                f"layer={layer.name!r}, stride={layer.strides[0]}, dilation={dilation}"
            )
        before, after = first.pad
        if layer.padding == "same":
            before, after = (size - 1) // 2 + before, size - 1 - (size - 1) // 2 + after
        if before + after != size - 1:
            raise NotCarried(
                f"A layer must give one output a frame. Received: layer={layer.name!r} looks at "
                f"{size} frames of which {before + after} are padded at the video's ends"
            )
        return self._window(kind, layer, first, shape, size, after, fill)

    def _window(self, kind, layer, first, shape, size, after, fill) -> _Signal:
        count = int(np.prod(first.splits, initial=1))
        out = _Signal(self._place(), shape, first.delay + after * count, first.splits)
        self._add(kind, layer, [first], out, size=size, after=after, delay=first.delay)
        if size > 1:
            self.nodes[-1].carry = len(self.carries)
            dtype = layer.compute_dtype
            self.carries.append((first.shape, dtype, count, size - 1, fill))
        return out

    def _call(self, layer, inputs, shape) -> _Signal:
        if len({s.splits for s in inputs}) > 1:
            raise NotCarried(
                f"A layer's inputs must be in the same phases. Received: {layer.name!r}"
            )
        latest = max(s.delay for s in inputs)
        count = int(np.prod(inputs[0].splits, initial=1))
        aligned = []
        for signal in inputs:
            lag = (latest - signal.delay) // count
            if lag:
                held = _Signal(self._place(), signal.shape, latest, signal.splits)
                self._add("hold", layer, [signal], held, size=lag, delay=signal.delay)
                self.nodes[-1].carry = len(self.carries)
                self.carries.append((signal.shape, layer.compute_dtype, count, lag, 0.0))
                signal = held
            aligned.append(signal)
        out = _Signal(self._place(), shape, latest, inputs[0].splits)
        self._add("call", layer, aligned, out)
        return out

    def _merge(self, layer, first) -> _Signal:
        splits, factor = list(first.splits), 1
        while splits and factor < layer.factor:
            factor *= splits.pop()
        if factor != layer.factor or {2} != set(first.splits[len(splits) :]):
            raise NotCarried(f"Phases must be merged as they were split. Received: {layer.name!r}")
        out = _Signal(self._place(), first.shape, first.delay, tuple(splits))
        self._add("merge", layer, [first], out)
        return out

    def _place(self) -> int:
        self._places += 1
        return self._places - 1

    def _add(self, kind, layer, inputs, output, **rest):
        self.nodes.append(
            _Node(kind, layer, [s.place for s in inputs], output.place, inputs[0].splits, **rest)
        )


class _Carry(keras.layers.Layer):
    """The layers' borders, kept on the device."""

    def __init__(self, carries, single: bool):
        super().__init__(name="carry")
        self.fills = [carry[-1] for carry in carries]
        self.values = []
        for number, (shape, dtype, count, frames, fill) in enumerate(carries):
            lead = (1, count * frames) if single else (count, frames)
            self.values.append(
                self.add_weight(
                    shape=(*lead, *shape),
                    dtype=dtype,
                    initializer=keras.initializers.Constant(fill),
                    trainable=False,
                    autocast=False,
                    name=f"carry_{number}",
                )
            )

    def reset(self) -> None:
        for value, fill in zip(self.values, self.fills):
            value.assign(np.full(value.shape, fill, "float32"))


class _Step(keras.Model):
    """One step of the plan; `mode` is "start", "steady" or "final"."""

    def __init__(self, model, plan, carry, mode, single):
        super().__init__(name=f"{model.name}_{mode}")
        self.source = model  # so that its weights are known to be used
        self.carry = carry
        self.plan_nodes = _Opaque(plan.nodes)
        self.last = plan.output.place
        self.mode = mode
        self.single = single
        self.built = True
        compile_for_inference(self)

    def call(self, inputs):
        count = None
        if self.mode == "final":
            inputs, count = inputs
            count = count[0, 0]
        known = {0: ops.cast(inputs, self.source.inputs[0].dtype)}
        last_use = {place: n for n in self.plan_nodes.value for place in n.inputs}
        for node in self.plan_nodes.value:
            tensors = [known[place] for place in node.inputs]
            known[node.output] = self._node(node, tensors, count)
            for place in node.inputs:
                if last_use[place] is node and place != self.last:
                    known.pop(place, None)
        return known[self.last]

    def _node(self, node, tensors, count):
        x, layer = tensors[0], node.layer
        if node.kind == "call":
            return layer(tensors if len(tensors) > 1 else x)
        if node.kind == "split":
            return x if self.single else layer.call(x)
        if node.kind == "merge":
            return x if self.single else layer.call(x)
        if node.kind == "pad":
            rows, columns = layer.padding[1:]
            return ops.pad(x, ((0, 0), (0, 0), rows, columns, (0, 0))) if any(rows + columns) else x
        if node.kind == "hold":
            return self._hold(node, ops.cast(x, layer.compute_dtype))
        x = ops.cast(x, layer.compute_dtype)
        if node.carry is not None:
            x = self._bordered(node, x, count)
        if node.kind == "conv":
            return _convolution(layer, x)
        if node.kind == "pool":
            return _max_pool(layer, x, node.size)
        if node.kind == "max":
            return _over_frames(ops.maximum, x, node.size)
        return _over_frames(ops.add, x, node.size) / node.size

    def _phases(self, node) -> int:
        return 1 if self.single else int(np.prod(node.splits, initial=1))

    def _bordered(self, node, x, count):
        """The frames a layer needs besides its new ones: carried, or beyond the video's end."""
        fill = self.carry.fills[node.carry]
        value = self.carry.values[node.carry]
        if self.mode == "final":
            x = _masked(x, node, count, fill)
        parts = [x]
        before = node.size - 1 - node.after
        if self.mode != "start":
            parts.insert(0, ops.convert_to_tensor(value))
        elif before:
            parts.insert(0, _constant(x, before, fill))
        x = ops.concatenate(parts, axis=1) if len(parts) > 1 else x
        if self.mode != "final":
            value.assign(x[:, -value.shape[1] :])
        elif node.after:
            x = ops.concatenate([x, _constant(x, node.after, fill)], axis=1)
        # One frame at a time, the phases are not apart: the frames of its own phase.
        return x[:, :: int(np.prod(node.splits, initial=1))] if self.single else x

    def _hold(self, node, x):
        value = self.carry.values[node.carry]
        if self.mode == "start":
            value.assign(x[:, -value.shape[1] :])
            return x[:, : -value.shape[1]]
        x = ops.concatenate([ops.convert_to_tensor(value), x], axis=1)
        if self.mode == "final":
            return x
        value.assign(x[:, -value.shape[1] :])
        return x[:, : -value.shape[1]]

    def compute_output_shape(self, input_shape):
        return self.source.compute_output_shape(input_shape)


class _Opaque:
    """Keeps Keras from wrapping a list of its own layers."""

    def __init__(self, value):
        self.value = value


def _constant(x, frames, fill):
    zeros = ops.repeat(ops.zeros_like(x[:, :1]), frames, axis=1)
    return zeros + ops.cast(fill, x.dtype) if fill else zeros


def _masked(x, node, count, fill):
    """The frames after the video's last one set to what lies beyond its end."""
    factor = int(np.prod(node.splits, initial=1))
    steps = ops.shape(x)[1]
    frames = ops.reshape(ops.arange(0, steps * factor, dtype="int32"), (1, -1))
    for split in node.splits:
        frames = phases.SplitPhases(split).call(frames)
    real = frames < count + node.delay
    real = ops.reshape(real, (-1, steps, *[1] * (len(x.shape) - 2)))
    return ops.where(real, x, ops.cast(fill, x.dtype))


def _space(layer, window, shape):
    """Zeros on each side of rows and columns for "same" padding."""
    pads = []
    for length, size, stride in zip(shape[2:4], window[1:], layer.strides[1:]):
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    return pads


def _convolution(layer, x):
    if layer.padding == "same":
        dilated = [(k - 1) * d + 1 for k, d in zip(layer.kernel_size, layer.dilation_rate)]
        pads = _space(layer, dilated, x.shape)
        if any(sum(pad) for pad in pads):
            x = ops.pad(x, ((0, 0), (0, 0), *pads, (0, 0)))
    x = ops.conv(
        x,
        ops.cast(layer.kernel, x.dtype),
        strides=list(layer.strides),
        padding="valid",
        dilation_rate=layer.dilation_rate,
    )
    if layer.use_bias:
        x = x + ops.cast(layer.bias, x.dtype)
    return layer.activation(x) if layer.activation is not None else x


def _max_pool(layer, x, size):
    return ops.max_pool(
        _over_frames(ops.maximum, x, size),
        (1, *layer.pool_size[1:]),
        (1, *layer.strides[1:]),
        padding=layer.padding,
    )


def _over_frames(function, x, size):
    """A function of every `size` frames that follow each other."""
    out = x[:, : 1 - size] if size > 1 else x
    for shift in range(1, size):
        end = shift + 1 - size
        out = function(out, x[:, shift : end if end else None])
    return out
