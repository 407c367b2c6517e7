"""The output layer of models that predict densities."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class LogDensity(keras.layers.Layer):
    """Converts maps of logits to log densities: `exp` of each map sums to 1.

    The logits are divided by a temperature, a non-trainable weight that the recipe's
    `fit_temperature` fits to held-out data, to correct an overconfident network. The layer
    computes in float32 under every dtype policy.

    Input shape: (..., rows, columns, 1).

    Output shape: (..., rows, columns), natural logarithms.

    Example: `LogDensity()(logits)`

    Reference: Guo et al., On calibration of modern neural networks, 2017 (the temperature).
    """

    def __init__(self, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)

    def build(self, input_shape):
        self.temperature = self.add_weight(
            name="temperature", shape=(1,), initializer="ones", trainable=False
        )
        self.built = True

    def call(self, inputs):
        return log_normalized(ops.squeeze(inputs, -1) / self.temperature[0])

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[:-1])


def log_normalized(x):
    """Logits (..., rows, columns) as log densities: `exp` of each map sums to 1."""
    x = x - ops.stop_gradient(ops.max(x, axis=(-2, -1), keepdims=True))
    return x - ops.log(ops.sum(ops.exp(x), axis=(-2, -1), keepdims=True))
