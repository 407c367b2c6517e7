"""A weighted sum of the losses of saliency maps."""

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
        cc: Weight of minus the correlation.
        nss: Weight of minus the NSS; it needs fixations.
        reduction: Over the batch, as in every Keras loss.
        name: The loss's name.

    `y_true` is (batch, height, width) truth maps, or (batch, height, width, 2): the truth map
    and the fixations counted per pixel, which `nss` needs. `y_pred` is (batch, height, width).

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
            raise ValueError(f"Weights must be 0 or more, one above 0. Received: {weights}")
        self.mse, self.kl, self.cc, self.nss = mse, kl, cc, nss

    def call(self, y_true, y_pred):
        paired = len(y_true.shape) == 4
        if self.nss and not paired:
            raise ValueError(
                "`nss` needs `y_true` of shape (batch, height, width, 2), truth map and fixation "
                f"counts; set nss=0 without fixations. Received: shape {tuple(y_true.shape)}"
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
