"""A learned preference for the centre of the frame."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class CentreBias(keras.layers.Layer):
    """Adds the logarithm of a learned Gaussian to a map of logits.

    The Gaussian is defined in the frame's [0, 1] coordinates, so it applies to frames of any size
    and shape. The layer computes in float32 under every dtype policy.

    Args:
        sigma: Initial standard deviation along both axes, as a fraction of the frame's side.

    Input shape: (batch, rows, columns, 1), logits of any float type.

    Output shape: as the input, float32.

    Raises:
        ValueError: `sigma` is not positive.

    Example: `CentreBias()(logits)`

    Reference: Tatler, The central fixation bias in scene viewing, 2007; as the last layer of a
    network: Kümmerer et al., DeepGaze II, 2016.
    """

    def __init__(self, sigma: float = 0.22, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if not sigma > 0:
            raise ValueError(f"`sigma` must be positive. Received: sigma={sigma}")
        self.sigma = sigma

    def build(self, input_shape):
        constant = keras.initializers.Constant
        self.centre = self.add_weight(name="centre", shape=(2,), initializer=constant(0.5))
        self.log_sigma = self.add_weight(
            name="log_sigma", shape=(2,), initializer=constant(math.log(self.sigma))
        )
        self.strength = self.add_weight(name="strength", shape=(1,), initializer="ones")
        self.built = True

    def call(self, inputs):
        height, width = ops.shape(inputs)[1:3]
        bias = log_gaussian(height, width, self.centre, ops.exp(-self.log_sigma))
        return inputs + (self.strength * bias)[None, :, :, None]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


def log_gaussian(rows, columns, centre, scale):
    """(rows, columns): the logarithm of a Gaussian in the unit square, 0 at its peak.

    Args:
        rows, columns: size of the map.
        centre: x and y of the peak.
        scale: one divided by the standard deviation, along x and y.
    """
    across = ops.square((_places(columns) - centre[0]) * scale[0])
    down = ops.square((_places(rows) - centre[1]) * scale[1])
    return -0.5 * (across[None, :] + down[:, None])


def _places(count):
    """The centres of `count` pixels that divide the unit interval."""
    if isinstance(count, int):
        return ops.convert_to_tensor((np.arange(count) + 0.5) / count, "float32")
    return (ops.cast(ops.arange(count), "float32") + 0.5) / ops.cast(count, "float32")
