"""Replace operations by simpler ones, for formats that lack the originals."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
from keras import ops


@contextlib.contextmanager
def unrolled_scans() -> Iterator[None]:
    """Unroll `keras.ops.scan`, because converters fail on its loop over tensor lists."""
    original = ops.scan
    ops.scan = _unrolled_scan
    try:
        yield
    finally:
        ops.scan = original


@contextlib.contextmanager
def plain_operations(model: keras.Model) -> Iterator[None]:
    """Unroll a model's recurrent layers and replace its 3D pooling by 2D pooling.

    LiteRT supports neither loops over tensor lists nor 3D pooling.
    """
    layers = list(all_layers(model))
    recurrent = [
        layer for layer in layers if isinstance(layer, keras.layers.RNN) and not layer.unroll
    ]
    pooling = [
        layer
        for layer in layers
        if isinstance(layer, (keras.layers.MaxPooling3D, keras.layers.AveragePooling3D))
    ]
    with unrolled_scans():
        try:
            for layer in recurrent:
                layer.unroll = True
            for layer in pooling:  # on the instance, where it shadows the method of the class
                object.__setattr__(layer, "call", _pooling(layer))
            yield
        finally:
            for layer in recurrent:
                layer.unroll = False
            for layer in pooling:
                object.__delattr__(layer, "call")


def all_layers(model: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """All layers of a model, including nested ones."""
    yield from model._flatten_layers(include_self=False)


def _unrolled_scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    count = length if xs is None else ops.shape(keras.tree.flatten(xs)[0])[0]
    if not isinstance(count, int):
        raise ValueError(
            "This format unrolls recurrent layers, so the number of steps must be known: set it "
            "with `frames`."
        )
    carry, outputs = init, []
    for index in reversed(range(count)) if reverse else range(count):
        now = None if xs is None else keras.tree.map_structure(lambda x, i=index: x[i], xs)
        carry, output = f(carry, now)
        outputs.append(output)
    if reverse:
        outputs.reverse()
    return carry, keras.tree.map_structure(lambda *steps: ops.stack(steps), *outputs)


def _pooling(layer):
    """3D pooling as 2D pooling within each frame, then pooling over the frames."""
    reduce, mode = (
        (ops.max_pool, "max")
        if isinstance(layer, keras.layers.MaxPooling3D)
        else (ops.average_pool, "average")
    )
    (frames, *window), (time_stride, *strides) = layer.pool_size, layer.strides
    padding = layer.padding

    def call(inputs):
        time, height, width, channels = inputs.shape[1:]
        if mode == "average" and padding == "same" and frames > 1:
            raise ValueError(
                "Average pooling over time with padding 'same' averages fewer frames at the ends, "
                f"which this format cannot express. Received: layer={layer.name!r}"
            )
        x = ops.reshape(inputs, (-1, height, width, channels))
        x = reduce(x, tuple(window), tuple(strides), padding)
        height, width = x.shape[1:3]
        if frames == 1 and time_stride == 1:
            return ops.reshape(x, (-1, time, height, width, channels))
        x = ops.reshape(x, (-1, time, height * width, channels))
        x = reduce(x, (frames, 1), (time_stride, 1), padding)
        return ops.reshape(x, (-1, x.shape[1], height, width, channels))

    return call
