"""Squared error against a ground-truth map scaled to [0, 1]."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.extremes import highest, lowest


def min_max_mse(truth, saliency):
    """Mean squared error against the ground-truth map, scaled to the range [0, 1].

    Args:
        truth: (batch, height, width), any scale. A constant map becomes 0 everywhere.
        saliency: (batch, height, width), in [0, 1].

    Returns:
        (batch,) float32.

    Example: `min_max_mse(truth, model(clip)["saliency"])`
    """
    truth, saliency = ops.cast(truth, "float32"), ops.cast(saliency, "float32")
    low = lowest(truth, axis=(1, 2), keepdims=True)
    span = highest(truth, axis=(1, 2), keepdims=True) - low
    target = ops.where(span > 0, (truth - low) / ops.where(span > 0, span, 1.0), 0.0)
    return ops.mean(ops.square(saliency - target), axis=(1, 2))


@keras.saving.register_keras_serializable(package="zoo")
class MinMaxMSE(keras.losses.Loss):
    """Mean squared error against ground-truth maps, each scaled to [0, 1].

    Args:
        reduction: Reduction over the batch, as in every Keras loss.
        name: Name of the loss.

    `y_true` is (batch, height, width), maps of any scale; `y_pred` is (batch, height, width), in
    [0, 1].

    Example: `model.compile("rmsprop", loss={"saliency": MinMaxMSE()})`

    Reference: Ozturk, "Long spatio-temporal saliency map prediction", section 4.3.
    """

    def __init__(self, reduction="sum_over_batch_size", name="min_max_mse", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")

    def call(self, y_true, y_pred):
        return min_max_mse(y_true, y_pred)

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction, "dtype": self.dtype}
