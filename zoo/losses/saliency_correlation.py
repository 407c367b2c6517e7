"""The negative linear correlation of a saliency map with a ground-truth map."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.extremes import highest

EPSILON = 1e-12


def saliency_correlation(truth, saliency):
    """The negative Pearson correlation of the two maps, so that smaller is better.

    Args:
        truth: (batch, height, width). A constant map gives 0.
        saliency: (batch, height, width).

    Returns:
        (batch,) float32, in [-1, 1].

    Example: `saliency_correlation(truth, model(clip)["saliency"])`
    """

    def standard(x):
        x = ops.cast(x, "float32")
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        # Scale to a maximum of 1 first: the squares of a map that sums to 1 underflow in float32.
        x = x / ops.maximum(highest(ops.abs(x), axis=(1, 2), keepdims=True), EPSILON)
        return x / ops.sqrt(ops.sum(x * x, axis=(1, 2), keepdims=True) + EPSILON)

    return -ops.sum(standard(truth) * standard(saliency), axis=(1, 2))


@keras.saving.register_keras_serializable(package="zoo")
class SaliencyCorrelation(keras.losses.Loss):
    """The negative linear correlation (CC) of saliency maps with ground-truth maps.

    Args:
        reduction: Reduction over the batch, as in every Keras loss.
        name: Name of the loss.

    `y_true` is (batch, height, width), ground-truth maps; `y_pred` is (batch, height, width), not
    negative.

    Example: `model.compile("adam", loss={"saliency": SaliencyCorrelation()})`

    Reference: Bylinskii et al., "What do different evaluation metrics tell us about saliency
    models?", TPAMI 2019.
    """

    def __init__(self, reduction="sum_over_batch_size", name="saliency_correlation", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")

    def call(self, y_true, y_pred):
        return saliency_correlation(y_true, y_pred)

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction, "dtype": self.dtype}
