"""How much of a density each place of a coarse grid holds."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class PlaceLogMass(keras.layers.Layer):
    """Logarithm of the mass of square blocks of a density, relative to a uniform density.

    The layer computes in float32 whatever the global dtype policy is.

    Args:
        block: rows and columns of the density that make one place.

    Input shape: (batch, rows, columns), a log density; the sides are multiples of `block`.

    Output shape: (batch, rows / block, columns / block, 1): 0 everywhere for a uniform density.

    Example: `PlaceLogMass(4)(log_density)`.
    """

    def __init__(self, block: int = 4, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if block < 1:
            raise ValueError(f"`block` must be at least 1. Received: block={block}")
        self.block = block

    def call(self, inputs):
        rows, columns = ops.shape(inputs)[1:3]
        high, wide = rows // self.block, columns // self.block
        x = ops.reshape(inputs, (-1, high, self.block, wide, self.block))
        x = ops.logsumexp(x, axis=(2, 4)) + ops.log(ops.cast(high * wide, "float32"))
        return x[..., None]

    def compute_output_shape(self, input_shape):
        batch, *sides = input_shape
        return (batch, *(None if n is None else n // self.block for n in sides), 1)

    def get_config(self):
        return {**super().get_config(), "block": self.block}
