"""The mean density over the most recent frames."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.temporal_phases import TrailingMean


@keras.saving.register_keras_serializable(package="zoo")
class Density(keras.layers.Layer):
    """`exp` of a log density, in float32 under every dtype policy.

    Input and output shape: (..., rows, columns).

    Example: `Density()(log_density)`
    """

    def __init__(self, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)

    def call(self, inputs):
        return ops.exp(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="zoo")
class PastDensity(TrailingMean):
    """`TrailingMean` of densities, in float32 under every dtype policy.

    Args:
        size: Number of frames; frames before the first one count as zero.
        frame_rate: As in `TrailingMean`.

    Input and output shape: (batch, time, rows, columns).

    Raises:
        ValueError: `size` is below 1, or `frame_rate` is not positive.

    Example: `PastDensity(16)(Density()(log_density))`
    """

    def __init__(self, size: int, frame_rate: float | None = None, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(size, frame_rate, dtype="float32", **kwargs)
