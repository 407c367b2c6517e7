"""Applying one layer or model to every time step."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class PerStep(keras.layers.Wrapper):
    """Applies a layer to all time steps in one call, by folding time into the batch.

    Unlike `keras.layers.TimeDistributed` it never loops or vectorises over time, so a
    convolution runs as one large convolution on every backend.

    Args:
        layer: The layer or model. It is called on (batch * time, ...) and must return one tensor.

    Input shape: (batch, time, ...).

    Output shape: (batch, time, ...), where ... is the shape of the layer's output.

    Example: `PerStep(zoo.backbones.c3d())(clips)`  # clips: (batch, clips, 16, 112, 112, 3)
    """

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def call(self, inputs, training=None):
        batch, time, *rest = ops.shape(inputs)
        folded = ops.reshape(inputs, (-1, *rest))
        if self.layer._call_has_training_arg:
            outputs = self.layer(folded, training=training)
        else:
            outputs = self.layer(folded)
        return ops.reshape(outputs, (batch, time, *ops.shape(outputs)[1:]))

    def compute_output_shape(self, input_shape):
        inner = self.layer.compute_output_shape((None, *input_shape[2:]))
        return (*input_shape[:2], *inner[1:])
