"""Cross-entropy between fixation counts and a log-density map."""

from __future__ import annotations

import keras
from keras import ops

from zoo.losses.saliency_correlation import saliency_correlation
from zoo.losses.saliency_kl import saliency_kl
from zoo.losses.saliency_nss import saliency_nss


def density_cross_entropy(counts, log_density):
    """The negative mean log density at the fixations, in nats.

    Args:
        counts: (..., height, width), number of fixations in each cell, or any non-negative map,
            such as blurred counts. An empty map gives 0.
        log_density: (..., height, width); `exp` of each map sums to 1.

    Returns:
        (...,) float32, the mean over the fixations of each map.

    Example: `density_cross_entropy(counts, model(video)["log_density"])`
    """
    counts, log_density = ops.cast(counts, "float32"), ops.cast(log_density, "float32")
    total = ops.sum(counts, axis=(-2, -1))
    found = -ops.sum(counts * log_density, axis=(-2, -1))
    return ops.where(total > 0, found / ops.where(total > 0, total, 1.0), 0.0)


@keras.saving.register_keras_serializable(package="zoo")
class DensityCrossEntropy(keras.losses.Loss):
    """Negative log density of the fixations, optionally with losses based on the metrics.

    Args:
        nss: Weight of the negative NSS (`saliency_nss`).
        cc: Weight of the negative correlation with the counts (`saliency_correlation`).
        kl: Weight of the divergence of the density from the counts (`saliency_kl`).
        reduction: Reduction over the maps, as in every Keras loss.
        name: Name of the loss.

    `y_true` is (..., height, width), the number of fixations in each cell, blurred or not;
    `y_pred` is (..., height, width), log densities. The loss of a map without fixations is 0.

    Raises:
        ValueError: A weight is negative.

    Example: `model.compile("adamw", loss={"log_density": DensityCrossEntropy(nss=0.1)})`

    Reference: Kümmerer et al., Information-theoretic model comparison unifies saliency metrics,
    2015.
    """

    def __init__(
        self,
        nss: float = 0.0,
        cc: float = 0.0,
        kl: float = 0.0,
        reduction="sum_over_batch_size",
        name="density_cross_entropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")
        if min(nss, cc, kl) < 0:
            raise ValueError(f"Weights must be 0 or more. Received: nss={nss}, cc={cc}, kl={kl}")
        self.nss, self.cc, self.kl = nss, cc, kl

    def call(self, y_true, y_pred):
        total = density_cross_entropy(y_true, y_pred)
        if not (self.nss or self.cc or self.kl):
            return total
        lead, size = ops.shape(y_pred)[:-2], y_pred.shape[-2:]
        counts = ops.reshape(ops.cast(y_true, "float32"), (-1, *size))
        density = ops.reshape(ops.exp(ops.cast(y_pred, "float32")), (-1, *size))
        more = 0.0
        for weight, loss in (
            (self.nss, saliency_nss),
            (self.cc, saliency_correlation),
            (self.kl, saliency_kl),
        ):
            if weight:
                more = more + weight * loss(counts, density)
        return total + ops.reshape(more, lead)

    def get_config(self):
        return {
            "name": self.name,
            "reduction": self.reduction,
            "dtype": self.dtype,
            "nss": self.nss,
            "cc": self.cc,
            "kl": self.kl,
        }
