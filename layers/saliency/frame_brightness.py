"""Brightness of each place in a video's frames, for detecting motion."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class FrameBrightness(keras.layers.Layer):
    """Mean brightness of each frame at the size of another map, plus 1.

    The 1 keeps it apart from the zeros that `Earlier` gives before a video's first frame. The
    layer computes in float32 whatever the global dtype policy is.

    Input: [rgb (batch, time, height, width, 3), raw RGB, 0 to 255; any maps (batch, time, rows,
    columns)].

    Output shape: (batch, time, rows, columns), 1 to 256.

    Example: `FrameBrightness()([rgb, log_density])`.
    """

    def __init__(self, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)

    def call(self, inputs):
        rgb, like = inputs
        rows, columns = ops.shape(like)[2:4]
        height, width, channels = ops.shape(rgb)[2:5]
        # Vertically first: each frame is a matrix with its channels side by side in the columns.
        x = ops.reshape(rgb, (*ops.shape(rgb)[:2], height, width * channels))
        x = ops.matmul(_shares(height, rows), x)
        x = ops.reshape(x, (*ops.shape(x)[:3], width, channels))
        return ops.matmul(ops.mean(x, axis=-1), ops.transpose(_shares(width, columns))) + 1.0

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[1])


def _shares(size, new):
    """The share of each of `size` places in each of `new` larger ones, (new, size)."""
    if isinstance(size, int) and isinstance(new, int):
        module, old, places, ratio = (
            np,
            np.arange(size, dtype="float32"),
            np.arange(new),
            size / new,
        )
    else:
        module, old = ops, ops.cast(ops.arange(size), "float32")
        places = ops.cast(ops.arange(new), "float32")
        ratio = ops.cast(size, "float32") / ops.cast(new, "float32")
    low = (places * ratio)[:, None]
    common = module.minimum(low + ratio, old + 1.0) - module.maximum(low, old)
    return ops.cast(ops.convert_to_tensor(module.maximum(common, 0.0) / ratio), "float32")
