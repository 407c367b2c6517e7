"""Penalties from the papers that encourage attention of a certain form."""

from __future__ import annotations

from keras import ops


def batch_mean(values):
    """The mean over samples, 0 for an empty batch, for penalties that layers add to the loss.

    Keras averages these penalties over the devices. So a mean over the batch does not depend on
    the number of devices, but a sum would.
    """
    return ops.sum(values) / ops.maximum(ops.cast(ops.shape(values)[0], values.dtype), 1.0)


def log_concavity(weights):
    """Penalty for sequences of weights that are not log-concave, and hence may not be unimodal.

    `sum_i max(0, w_{i-1} w_{i+1} - w_i^2)`, which is zero for log-concave sequences and for those
    shorter than three. The gradient is finite everywhere, and zero for log-concave sequences,
    including constant ones (with a square root around the terms it would be undefined there).

    Args:
        weights: (batch, ..., time), not negative.

    Returns:
        (batch,) float32, summed over all sequences of a sample.

    Example: `log_concavity(np.array([[0.5, 0.0, 0.5]]))` is `[0.25]`.

    Reference: Meng et al., Interpretable spatio-temporal attention for video action recognition,
    2019, equation 10.
    """
    w = ops.cast(weights, "float32")
    violation = ops.relu(w[..., :-2] * w[..., 2:] - ops.square(w[..., 1:-1]))
    return ops.sum(violation, axis=tuple(range(1, len(violation.shape))))


def doubly_stochastic(weights):
    """Penalty for positions whose total attention over a video differs from one.

    `sum_i (1 - sum_t l_{t,i})^2`, which is small if each position was attended to at some time.

    Args:
        weights: (batch, time, ...); the weights of each step sum to one.

    Returns:
        (batch,) float32.

    Example: `doubly_stochastic(np.array([[[0.5, 0.5], [0.5, 0.5]]]))` is `[0.0]`.

    Reference: Sharma et al., Action recognition using visual attention, 2016, equation 7.
    """
    total = ops.sum(ops.cast(weights, "float32"), axis=1)
    return ops.sum(ops.square(1.0 - total), axis=tuple(range(1, len(total.shape))))
