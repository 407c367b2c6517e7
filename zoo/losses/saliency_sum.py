"""A weighted sum of losses of saliency maps."""

from __future__ import annotations

import keras
from keras import ops

from zoo.losses.min_max_mse import min_max_mse
from zoo.losses.saliency_correlation import saliency_correlation
from zoo.losses.saliency_kl import saliency_kl
from zoo.losses.saliency_nss import saliency_nss


@keras.saving.register_keras_serializable(package="zoo")
class SaliencySum(keras.losses.Loss):
    """A weighted sum of squared error, divergence, correlation and NSS.

    Args:
        mse: Weight of `min_max_mse`.
        kl: Weight of `saliency_kl`.
        cc: Weight of `saliency_correlation`, the negative correlation.
        nss: Weight of `saliency_nss`, the negative NSS; it needs fixations.
        reduction: Reduction over the batch, as in every Keras loss.
        name: Name of the loss.

    `y_true` is (batch, height, width), ground-truth maps, or (batch, height, width, 2), the
    ground-truth map and the number of fixations in each pixel, which `nss` needs. `y_pred` is
    (batch, height, width).

    Raises:
        ValueError: A weight is negative or all are 0, or `y_true` lacks fixations with `nss`.

    Example: `SaliencySum(kl=1.0, cc=0.1, nss=0.1)`

    Reference: Wang et al., "Revisiting video saliency prediction in the deep learning era",
    TPAMI 2021, whose loss is the sum of KL, CC and NSS (weights 1, 0.1 and 0.1).
    """

    def __init__(
        self,
        mse: float = 0.0,
        kl: float = 1.0,
        cc: float = 0.1,
        nss: float = 0.1,
        reduction="sum_over_batch_size",
        name="saliency_sum",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")
        weights = {"mse": mse, "kl": kl, "cc": cc, "nss": nss}
        if min(weights.values()) < 0 or not any(weights.values()):
            raise ValueError(
                f"Weights must not be negative, and at least one must be above 0. "
                f"Received: {weights}"
            )
        self.mse, self.kl, self.cc, self.nss = mse, kl, cc, nss

    def call(self, y_true, y_pred):
        paired = len(y_true.shape) == 4
        if self.nss and not paired:
            raise ValueError(
                "With `nss`, `y_true` must have the shape (batch, height, width, 2), ground-truth "
                "map and fixation counts; set nss=0 if there are no fixations. "
                f"Received: shape {tuple(y_true.shape)}"
            )
        truth = y_true[..., 0] if paired else y_true
        total = ops.zeros_like(ops.cast(truth[:, 0, 0], "float32"))
        if self.mse:
            total = total + self.mse * min_max_mse(truth, y_pred)
        if self.kl:
            total = total + self.kl * saliency_kl(truth, y_pred)
        if self.cc:
            total = total + self.cc * saliency_correlation(truth, y_pred)
        if self.nss:
            total = total + self.nss * saliency_nss(y_true[..., 1], y_pred)
        return total

    def get_config(self):
        return {
            "name": self.name,
            "reduction": self.reduction,
            "dtype": self.dtype,
            "mse": self.mse,
            "kl": self.kl,
            "cc": self.cc,
            "nss": self.nss,
        }
