"""Temporal receptive field: how many frames before and after a frame its output depends on."""

from __future__ import annotations

import keras

from zoo.layers.sliding_clips import SlidingClips
from zoo.layers.temporal_phases import Earlier, MergePhases, NeighbourMax, SplitPhases, TrailingMean

_CONVOLUTIONS = (keras.layers.Conv3D, keras.layers.DepthwiseConv1D, keras.layers.Conv1D)
_POOLINGS = (keras.layers.MaxPooling3D, keras.layers.AveragePooling3D)


def receptive_field(model: keras.Model) -> tuple[int, int]:
    """Number of frames before and after a frame that its output depends on, ignoring recurrence.

    Follows the model's graph and adds up the temporal extent of its convolution and pooling layers,
    multiplied by the number of phases they run in.

    Args:
        model: a functional model whose output has one entry per frame.

    Returns:
        (before, after).

    Example: `receptive_field(zoo.backbones.c3d(dense=True))` is (30, 37).
    """
    before, after, _ = _of_model(model, 1)
    return before, after


def _of_model(model, dilation):
    reach = {}
    for operation in model.operations:
        if isinstance(operation, keras.layers.InputLayer):
            reach[operation] = (0, 0, dilation)
            continue
        parents = [n.operation for n in operation._inbound_nodes[0].parent_nodes]
        known = [reach[p] for p in parents if p in reach] or [(0, 0, dilation)]
        before, after = max(k[0] for k in known), max(k[1] for k in known)
        inner = known[0][2]  # only the first input is in phases, the others just carry lengths
        own_before, own_after, inner = _of_layer(operation, inner)
        reach[operation] = (before + own_before, after + own_after, inner)
    ends = [reach[o._keras_history.operation] for o in _flat(model.outputs)]
    return max(e[0] for e in ends), max(e[1] for e in ends), ends[0][2]


def _flat(tensors):
    return tensors if isinstance(tensors, list) else [tensors]


def _of_layer(layer, dilation):
    if isinstance(layer, keras.models.Model):
        return _of_model(layer, dilation)
    if isinstance(layer, SlidingClips):
        return (layer.clip_length - 1) * dilation, 0, dilation
    if isinstance(layer, MergePhases):
        return 0, 0, dilation // layer.factor
    if isinstance(layer, SplitPhases):
        return 0, 0, dilation * layer.factor
    if isinstance(layer, NeighbourMax):
        before = layer.size - 1 - layer.after
        return before * dilation, layer.after * dilation, dilation
    if isinstance(layer, TrailingMean):
        return (layer.frames - 1) * dilation, 0, dilation
    if isinstance(layer, Earlier):
        return layer.frames * dilation, 0, dilation
    if isinstance(layer, keras.layers.ZeroPadding3D):
        first, last = layer.padding[0]
        return first * dilation, last * dilation, dilation
    if isinstance(layer, _CONVOLUTIONS):
        spread = (layer.kernel_size[0] - 1) * layer.dilation_rate[0]
        return *_window(layer, spread, layer.strides[0], dilation), dilation
    if isinstance(layer, _POOLINGS):
        return *_window(layer, layer.pool_size[0] - 1, layer.strides[0], dilation), dilation
    return 0, 0, dilation


def _window(layer, spread, stride, dilation):
    if stride != 1:
        raise ValueError(
            "A model that is run in chunks must give one output per frame: its layers must not "
            f"have a stride in time. Received: layer={layer.name!r}, stride={stride}"
        )
    if layer.padding == "same":
        return spread // 2 * dilation, (spread - spread // 2) * dilation
    if layer.padding == "causal":
        return spread * dilation, 0
    return 0, 0  # valid: already counted by the preceding padding layer
