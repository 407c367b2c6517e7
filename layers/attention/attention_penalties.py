"""What the papers add to the loss so that attention takes a wanted form."""

from __future__ import annotations

from keras import ops


def batch_mean(values):
    """The mean of one value a sample, 0 without any: what a layer adds to a loss that is a mean.

    A mean is the same for every number of devices; a sum over the batch is not, as Keras averages
    over the devices what layers add.
    """
    return ops.sum(values) / ops.maximum(ops.cast(ops.shape(values)[0], values.dtype), 1.0)


def log_concavity(weights):
    """By how much sequences of weights fail to be log-concave, and so unimodal.

    `sum_i max(0, w_{i-1} w_{i+1} - w_i^2)`, zero for a log-concave sequence; a sequence of fewer
    than three has none. The gradient is finite everywhere and zero where nothing fails, the
    constant sequence included (a square root around the same terms would have none there).

    Args:
        weights: (batch, ..., time), not negative.

    Returns:
        (batch,) in float32, the sum over all the sample's sequences.

    Reference: Meng et al., Interpretable spatio-temporal attention for video action recognition,
    2019, equation 10.
    """
    w = ops.cast(weights, "float32")
    violation = ops.relu(w[..., :-2] * w[..., 2:] - ops.square(w[..., 1:-1]))
    return ops.sum(violation, axis=tuple(range(1, len(violation.shape))))


def doubly_stochastic(weights):
    """By how much each place's attention over a whole video differs from one.

    `sum_i (1 - sum_t l_{t,i})^2`: it is small where every place was looked at at some time.

    Args:
        weights: (batch, time, ...), each step's summing to one.

    Returns:
        (batch,) in float32.

    Reference: Sharma et al., Action recognition using visual attention, 2016, equation 7.
    """
    total = ops.sum(ops.cast(weights, "float32"), axis=1)
    return ops.sum(ops.square(1.0 - total), axis=tuple(range(1, len(total.shape))))
