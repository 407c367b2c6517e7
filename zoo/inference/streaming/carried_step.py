"""One step of a carried model: the stored borders of its layers, and its operations."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from zoo.inference.streaming.adapt import compile_for_inference
from zoo.layers import temporal_phases as phases


class Carry(keras.layers.Layer):
    """Stores the layers' borders on the device."""

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
        self.built = True  # else JAX runs the whole step once more, eagerly, for each prediction

    def reset(self) -> None:
        for value, fill in zip(self.values, self.fills):
            value.assign(np.full(value.shape, fill, "float32"))


class Step(keras.Model):
    """One step of the plan; `mode` is "start", "steady" or "final"."""

    def __init__(self, model, plan, carry, mode, single):
        super().__init__(name=f"{model.name}_{mode}")
        self.source = model  # so that Keras tracks its weights
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
        if node.kind == "earlier":
            return x[:, : 1 - node.size]
        return _over_frames(ops.add, x, node.size) / node.size

    def _bordered(self, node, x, count):
        """Add the border to a layer's new frames: carried frames, or padding at either end."""
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
        # With one frame at a time, phases are interleaved: keep only the frames of its own phase.
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
    """Keeps Keras from tracking the layers in a list."""

    def __init__(self, value):
        self.value = value


def _constant(x, frames, fill):
    zeros = ops.repeat(ops.zeros_like(x[:, :1]), frames, axis=1)
    return zeros + ops.cast(fill, x.dtype) if fill else zeros


def _masked(x, node, count, fill):
    """Set the frames after the video's last one to the padding value."""
    factor = int(np.prod(node.splits, initial=1))
    steps = ops.shape(x)[1]
    frames = ops.reshape(ops.arange(0, steps * factor, dtype="int32"), (1, -1))
    for split in node.splits:
        frames = phases.SplitPhases(split).call(frames)
    real = frames < count + node.delay
    real = ops.reshape(real, (-1, steps, *[1] * (len(x.shape) - 2)))
    return ops.where(real, x, ops.cast(fill, x.dtype))


def _space(layer, window, shape):
    """Number of zeros before and after the rows and the columns for "same" padding."""
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
    """Reduce every `size` consecutive frames with a function of two."""
    out = x[:, : 1 - size] if size > 1 else x
    for shift in range(1, size):
        end = shift + 1 - size
        out = function(out, x[:, shift : end if end else None])
    return out
