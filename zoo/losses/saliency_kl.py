"""Kullback-Leibler divergence of a saliency map from a ground-truth map."""

from __future__ import annotations

import keras
from keras import ops

EPSILON = 1e-7


def saliency_kl(truth, saliency):
    """Divergence of the saliency from the ground truth, both scaled to sum to 1, in nats.

    Args:
        truth: (batch, height, width), not negative. An empty map gives 0.
        saliency: (batch, height, width), not negative.

    Returns:
        (batch,) float32.

    Example: `saliency_kl(truth, model(clip)["saliency"])`
    """
    truth, saliency = ops.cast(truth, "float32"), ops.cast(saliency, "float32")
    total = ops.sum(truth, axis=(1, 2), keepdims=True)
    p = truth / ops.where(total > 0, total, 1.0)
    # Relative to a uniform density, so that the lower bound suits maps of any size.
    places = float(truth.shape[1] * truth.shape[2])
    q = saliency + EPSILON
    q = q / ops.sum(q, axis=(1, 2), keepdims=True)
    log_q = ops.log(ops.maximum(q * places, EPSILON))
    log_p = ops.log(ops.maximum(p * places, EPSILON))
    return ops.sum(ops.where(p > 0, p * (log_p - log_q), 0.0), axis=(1, 2))


@keras.saving.register_keras_serializable(package="zoo")
class SaliencyKL(keras.losses.Loss):
    """Kullback-Leibler divergence of saliency maps from ground-truth maps.

    Args:
        reduction: Reduction over the batch, as in every Keras loss.
        name: Name of the loss.

    `y_true` is (batch, height, width), ground-truth maps, not negative; `y_pred` is (batch,
    height, width), not negative.

    Example: `model.compile("adam", loss={"saliency": SaliencyKL()})`

    Reference: Bylinskii et al., "What do different evaluation metrics tell us about saliency
    models?", TPAMI 2019.
    """

    def __init__(self, reduction="sum_over_batch_size", name="saliency_kl", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")

    def call(self, y_true, y_pred):
        return saliency_kl(y_true, y_pred)

    def get_config(self):
        return {"name": self.name, "reduction": self.reduction, "dtype": self.dtype}
