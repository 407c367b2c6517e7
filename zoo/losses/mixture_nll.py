"""Negative log-likelihood of fixations under a mixture of Gaussians."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.saliency.mixture import mixture_log_prob


def mixture_nll(fixations, mixture, over_fixations: str = "sum"):
    """Negative log-likelihood of each frame's fixations under its mixture, in nats.

    Args:
        fixations: (..., A, 2), x and y in [0, 1]; rows with NaN are padding.
        mixture: (..., C, 6), see `zoo.layers.mixture_log_prob`.
        over_fixations: "sum" or "mean" over a frame's fixations. A frame without any gives 0.

    Returns:
        Tensor (...), float32.

    Example: `mixture_nll(np.full((1, 4, 2), 0.5), np.zeros((1, 20, 6)))`

    Reference: Bazzani et al., ICLR 2017, equation 4.
    """
    fixations = ops.cast(ops.convert_to_tensor(fixations), "float32")
    valid = ops.logical_not(ops.any(ops.isnan(fixations), axis=-1))  # (..., A)
    # Replace padding before computing the density: in the gradient, NaN times zero is still NaN.
    points = ops.where(ops.expand_dims(valid, -1), fixations, 0.5)
    nll = ops.where(valid, -mixture_log_prob(mixture, points), 0.0)
    total = ops.sum(nll, axis=-1)
    if over_fixations == "sum":
        return total
    return total / ops.maximum(ops.sum(ops.cast(valid, "float32"), axis=-1), 1.0)


@keras.saving.register_keras_serializable(package="zoo")
class MixtureNLL(keras.losses.Loss):
    """Negative log-likelihood of fixations under a mixture of Gaussians, in nats.

    `y_true` is (batch, time, A, 2), x and y in [0, 1], padded with rows of NaN if a frame has
    fewer than A fixations; `y_pred` is (batch, time, C, 6). The loss of a frame without fixations
    is 0. Sample weights may be given per sample (batch,) or per frame (batch, time).

    Args:
        over_fixations: "sum" (as in the paper) or "mean" over a frame's fixations.
        reduction: Reduction over batch and time, as in every Keras loss. The paper sums over time
            ("sum"); the default is the mean over frames, so that the learning rate does not
            depend on the length of the window.
        name: Name of the loss.

    Raises:
        ValueError: `over_fixations` is neither of the two, or `y_true` has another shape.

    Example: `model.compile("rmsprop", loss={"mixture": zoo.losses.MixtureNLL()})`

    Reference: Bazzani et al., ICLR 2017, equation 4.
    """

    def __init__(
        self,
        over_fixations: str = "sum",
        reduction="sum_over_batch_size",
        name="mixture_nll",
        dtype=None,
    ):
        if over_fixations not in ("sum", "mean"):
            raise ValueError(
                '`over_fixations` must be "sum" or "mean". '
                f"Received: over_fixations={over_fixations!r}"
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype or "float32")
        self.over_fixations = over_fixations

    def __call__(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None and len(sample_weight.shape) == 1:
            # A weight per sample applies to all its frames; Keras does not broadcast it.
            sample_weight = ops.expand_dims(sample_weight, -1)
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        if len(y_true.shape) != 4 or y_true.shape[-1] != 2:
            raise ValueError(
                "`y_true` must be fixations of shape (batch, time, fixations, 2). "
                f"Received: shape {tuple(y_true.shape)}"
            )
        return mixture_nll(y_true, y_pred, self.over_fixations)

    def get_config(self):
        return {
            "name": self.name,
            "reduction": self.reduction,
            "over_fixations": self.over_fixations,
            "dtype": self.dtype,
        }
