"""Cropping with a fast gradient."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class FastCropping2D(keras.layers.Cropping2D):
    """`keras.layers.Cropping2D`, whose gradient takes several times as long on TensorFlow.

    Keras cuts by indexing, whose gradient is slow there; this layer cuts by a slice. For
    channels-last inputs (batch, height, width, channels).

    Args:
        cropping: as in `keras.layers.Cropping2D`.

    Example: `FastCropping2D(((1, 0), (1, 0)))(x)` drops the first row and the first column.
    """

    def call(self, inputs):
        (top, bottom), (left, right) = self.cropping
        batch, height, width, channels = ops.shape(inputs)
        size = (batch, height - top - bottom, width - left - right, channels)
        return ops.slice(inputs, (0, top, left, 0), size)
