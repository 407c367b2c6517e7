"""The negative normalised scanpath saliency (NSS)."""

from __future__ import annotations

import keras
from keras import ops

EPSILON = 1e-6


def saliency_nss(counts, saliency):
    """The negative mean standardised saliency at fixations (NSS), so that smaller is better.

    Args:
        counts: (batch, height, width), number of fixations in each pixel. An empty map gives 0.
        saliency: (batch, height, width).

    Returns:
        (batch,) float32.

    Example: `saliency_nss(counts, model(clip)["saliency"])`
    """
    counts, x = ops.cast(counts, "float32"), ops.cast(saliency, "float32")
    x = x - ops.mean(x, axis=(1, 2), keepdims=True)
    x = x / ops.sqrt(ops.mean(x * x, axis=(1, 2), keepdims=True) + EPSILON**2)
    return -ops.sum(x * counts, axis=(1, 2)) / ops.maximum(ops.sum(counts, axis=(1, 2)), 1.0)


@keras.saving.register_keras_serializable(package="zoo")
class SaliencyNSS(keras.losses.Loss):
    """The negative normalised scanpath saliency (NSS) at fixations.

    Args:
        reduction: Reduction over the batch, as in every Keras loss.
        name: Name of the loss.

    `y_true` is (batch, height, width), the number of fixations in each pixel; `y_pred` is (batch,
    height, width), not negative.

    Example: `model.compile("adam", loss={"saliency": SaliencyNSS()})`

    Reference: Bylinskii et al., "What do different evaluation metrics tell us about saliency
    models?", TPAMI 2019.
    """

    def __init__(self, reduction="sum_over_batch_size", name="saliency_nss", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")

    def call(self, y_true, y_pred):
        return saliency_nss(y_true, y_pred)

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction, "dtype": self.dtype}
