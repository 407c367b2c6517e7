"""Resizing feature maps, also if their sizes are unknown until the model runs."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class ResizeLike(keras.layers.Layer):
    """Resizes a map bilinearly to the rows and columns of another one.

    If a network adds maps of two scales and accepts inputs of any size, enlarging by 2 is not
    enough: 5 columns at a stride of 32 correspond to 9 or to 10 at a stride of 16. The resizing is
    a product with one matrix per axis, which, unlike `keras.ops.image.resize`, works in a
    compiled graph with unknown sizes.

    Input shape: maps (batch, rows, columns, channels), like (batch, height, width, any).

    Output shape: (batch, height, width, channels).

    Example: `ResizeLike()(coarse, fine)`
    """

    def call(self, maps, like):
        return resize_bilinear(maps, *ops.shape(like)[1:3])

    def compute_output_shape(self, maps_shape, like_shape):
        return (maps_shape[0], *like_shape[1:3], maps_shape[-1])


@keras.saving.register_keras_serializable(package="zoo")
class Enlarge(keras.layers.Layer):
    """Enlarges maps of any size bilinearly by a whole number.

    Args:
        factor: Factor by which rows and columns are multiplied, at least 1.

    Input shape: (batch, rows, columns, channels).

    Output shape: (batch, factor * rows, factor * columns, channels).

    Raises:
        ValueError: `factor` is below 1.

    Example: `Enlarge(2)(maps)`
    """

    def __init__(self, factor: int = 2, **kwargs):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"`factor` must be at least 1. Received: factor={factor}")
        self.factor = factor

    def call(self, inputs):
        height, width = ops.shape(inputs)[1:3]
        return resize_bilinear(inputs, self.factor * height, self.factor * width)

    def compute_output_shape(self, input_shape):
        sides = (None if n is None else self.factor * n for n in input_shape[1:3])
        return (input_shape[0], *sides, input_shape[-1])

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def resize_bilinear(maps, height, width):
    """Resize maps (batch, rows, columns, channels) bilinearly, with aligned pixel centres."""
    rows, columns = ops.shape(maps)[1:3]
    if not _is(rows, height):
        maps = ops.einsum("ph,bhwc->bpwc", _weights(rows, height, maps.dtype), maps)
    if not _is(columns, width):
        maps = ops.einsum("qw,bpwc->bpqc", _weights(columns, width, maps.dtype), maps)
    return maps


def _is(size, other) -> bool:
    return isinstance(size, int) and isinstance(other, int) and size == other


def _weights(size, new, dtype):
    """Interpolation weights from `size` old to `new` positions, (new, size)."""
    if isinstance(size, int) and isinstance(new, int):
        module, old_places, places = np, np.arange(size, dtype="float32"), np.arange(new)
        ratio = size / new
    else:
        module, old_places, places = ops, ops.cast(ops.arange(size), "float32"), ops.arange(new)
        ratio = ops.cast(size, "float32") / ops.cast(new, "float32")
        places = ops.cast(places, "float32")
    last = (size if isinstance(size, int) else ops.cast(size, "float32")) - 1
    at = module.minimum(module.maximum((places + 0.5) * ratio - 0.5, 0.0), last)
    share = module.maximum(1.0 - module.abs(at[:, None] - old_places[None]), 0.0)
    return ops.cast(ops.convert_to_tensor(share), dtype)
