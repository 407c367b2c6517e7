"""What each layer has to carry from step to step: its temporal window, lag and phases."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from zoo.layers import temporal_phases as phases
from zoo.layers.clip_scaling import ClipScaling
from zoo.layers.input_normalization import InputNormalization
from zoo.layers.per_step import PerStep
from zoo.layers.saliency.bounded_gaussians import BoundedGaussians
from zoo.layers.saliency.density_memory import DensityMemory
from zoo.layers.saliency.frame_brightness import FrameBrightness
from zoo.layers.saliency.gaze_scatter import GazeScatter
from zoo.layers.saliency.log_density import LogDensity
from zoo.layers.saliency.map_mixture import MapMixture
from zoo.layers.saliency.motion_mixture import MotionMixture
from zoo.layers.saliency.past_density import Density
from zoo.layers.saliency.video_centre_bias import VideoCentreBias

# Layers whose output at a frame depends only on that frame, whatever their arguments.
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
    BoundedGaussians,
    Density,
    DensityMemory,
    FrameBrightness,
    GazeScatter,
    InputNormalization,
    LogDensity,
    MapMixture,
    MotionMixture,
    PerStep,
    VideoCentreBias,
)
LOWEST = -3e38  # below every activation, and still finite in bfloat16


class NotCarried(ValueError):
    """The model has a layer whose border is not known; the message names the layer."""


@dataclass
class Node:
    """One operation of the plan."""

    kind: str  # "call", "conv", "pool", "max", "mean", "earlier", "pad", "hold", "split", "merge"
    layer: object
    inputs: list[int]
    output: int
    splits: tuple[int, ...] = ()  # the phase splits in effect: (2, 2) means four phases
    size: int = 1  # length of the layer's temporal window, in frames of one phase
    after: int = 0  # how many of these come after the current frame
    delay: int = 0  # frames by which the layer's input lags behind the video
    carry: int | None = None


@dataclass
class Signal:
    place: int
    shape: tuple
    delay: int = 0
    splits: tuple[int, ...] = ()
    pad: tuple[int, int] = (0, 0)  # from a padding layer, not applied yet


class Plan:
    """The model's operations in order, with the temporal window, lag and phases of each."""

    def __init__(self, model: keras.Model):
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise NotCarried("A model carried from step to step must have one input and one output")
        self.nodes: list[Node] = []
        self.carries: list[tuple] = []  # (frame shape, dtype, phases, frames per phase, fill)
        self.phases = 1
        self._places = 1
        source = Signal(0, tuple(model.inputs[0].shape[2:]))
        self.output = self._model(model, [source])
        if self.output.splits or self.output.pad != (0, 0):
            raise NotCarried("A model's phases must be merged at its end")
        # Minimum number of frames that fill every border.
        held = [(n, self.carries[n.carry]) for n in self.nodes if n.carry is not None]
        self.least = max((n.delay + c[2] * c[3] for n, c in held), default=1)

    def fitting(self, least: int, sign: int) -> int:
        """The smallest number of frames, `least` or more, that splits evenly in every layer.

        `sign`: whether a layer's lag is missing in the first step (-1) or added in the last (+1).
        """
        splits = [n for n in self.nodes if n.kind == "split"]
        for length in range(least, least + 8 * self.phases + 1):
            if all((length + sign * n.delay) % n.size == 0 for n in splits):
                return length
        raise NotCarried("No number of frames fits all phases of this model")

    def _model(self, model, sources: list[Signal]) -> Signal:
        known = {id(t): s for t, s in zip(model.inputs, sources)}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    inputs = [known[id(t)] for t in node.input_tensors]
                    found = self._operation(node.operation, inputs, node)
                    known[id(node.output_tensors[0])] = found
        return known[id(model.outputs[0])]

    def _operation(self, layer, inputs: list[Signal], node) -> Signal:
        if isinstance(layer, keras.Model):
            return self._model(layer, inputs)
        if len(node.output_tensors) != 1:
            raise NotCarried(f"A layer must have one output. Received: layer={layer.name!r}")
        shape = tuple(node.output_tensors[0].shape[2:])
        if None in shape:
            raise NotCarried(f"Frames must have one size. Received: layer={layer.name!r}, {shape}")
        first = inputs[0]
        if isinstance(layer, (phases.PadTime, phases.CropTime, phases.MaskPaddedTime)):
            return first  # only the last step is padded, and it does its own masking
        if isinstance(layer, phases.MergePhases):
            return self._merge(layer, first)
        if isinstance(layer, phases.SplitPhases):
            factor = layer.factor
            out = Signal(self._place(), shape, first.delay, (*first.splits, factor))
            self.phases = max(self.phases, int(np.prod(out.splits)))
            size = int(np.prod(out.splits))
            self._add("split", layer, [first], out, size=size, delay=first.delay)
            return out
        if isinstance(layer, layers.ZeroPadding3D) and any(layer.padding[0]):
            out = Signal(self._place(), shape, first.delay, first.splits, tuple(layer.padding[0]))
            self._add("pad", layer, [first], out)
            return out
        if first.pad != (0, 0) and not isinstance(layer, layers.Conv3D):
            raise NotCarried(
                f"A padding must be followed by a convolution. Received: {layer.name!r}"
            )
        if isinstance(layer, phases.NeighbourMax):
            return self._window("max", layer, first, shape, layer.size, layer.after, 0.0)
        if isinstance(layer, phases.TrailingMean):
            return self._window("mean", layer, first, shape, layer.frames, 0, 0.0)
        if isinstance(layer, phases.Earlier):
            return self._window("earlier", layer, first, shape, layer.frames + 1, 0, 0.0)
        if isinstance(layer, layers.Conv3D) and not isinstance(layer, layers.Conv3DTranspose):
            return self._windowed("conv", layer, layer.kernel_size[0], first, shape, 0.0)
        if is_pointwise(layer):
            return self._call(layer, inputs, shape)
        if isinstance(layer, layers.MaxPooling3D):
            return self._windowed("pool", layer, layer.pool_size[0], first, shape, LOWEST)
        raise NotCarried(f"This layer is not supported when a model runs in steps: {layer.name!r}")

    def _windowed(self, kind, layer, size, first, shape, fill) -> Signal:
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
                f"A layer must give one output per frame. Received: layer={layer.name!r} looks at "
                f"{size} frames of which {before + after} are padded at the video's ends"
            )
        return self._window(kind, layer, first, shape, size, after, fill)

    def _window(self, kind, layer, first, shape, size, after, fill) -> Signal:
        count = int(np.prod(first.splits, initial=1))
        out = Signal(self._place(), shape, first.delay + after * count, first.splits)
        self._add(kind, layer, [first], out, size=size, after=after, delay=first.delay)
        if size > 1:
            self.nodes[-1].carry = len(self.carries)
            dtype = layer.compute_dtype
            self.carries.append((first.shape, dtype, count, size - 1, fill))
        return out

    def _call(self, layer, inputs, shape) -> Signal:
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
                held = Signal(self._place(), signal.shape, latest, signal.splits)
                self._add("hold", layer, [signal], held, size=lag, delay=signal.delay)
                self.nodes[-1].carry = len(self.carries)
                self.carries.append((signal.shape, layer.compute_dtype, count, lag, 0.0))
                signal = held
            aligned.append(signal)
        out = Signal(self._place(), shape, latest, inputs[0].splits)
        self._add("call", layer, aligned, out)
        return out

    def _merge(self, layer, first) -> Signal:
        splits, factor = list(first.splits), 1
        while splits and factor < layer.factor:
            factor *= splits.pop()
        if factor != layer.factor or {2} != set(first.splits[len(splits) :]):
            raise NotCarried(f"Phases must be merged as they were split. Received: {layer.name!r}")
        out = Signal(self._place(), first.shape, first.delay, tuple(splits))
        self._add("merge", layer, [first], out)
        return out

    def _place(self) -> int:
        self._places += 1
        return self._places - 1

    def _add(self, kind, layer, inputs, output, **rest):
        self.nodes.append(
            Node(kind, layer, [s.place for s in inputs], output.place, inputs[0].splits, **rest)
        )


def is_pointwise(layer) -> bool:
    """Whether a layer's output at a frame depends only on its input at that frame."""
    if isinstance(layer, layers.Concatenate):
        return layer.axis not in (0, 1)
    if isinstance(layer, layers.Reshape):
        return layer.target_shape[0] == -1
    if isinstance(layer, layers.ZeroPadding3D):
        return not any(layer.padding[0])
    if isinstance(layer, (layers.AveragePooling3D, layers.MaxPooling3D)):
        return layer.pool_size[0] == layer.strides[0] == 1
    if isinstance(layer, ClipScaling):
        return layer.mode == "fixed"
    return isinstance(layer, _POINTWISE)
