"""The Gaussian blur of maps."""

from __future__ import annotations

from keras import ops


def blurred(maps, sigma: float):
    """Blur maps with a Gaussian; at the borders, the weights inside the map sum to 1.

    Args:
        maps: (..., rows, columns).
        sigma: standard deviation, as a share of the longer side.

    Example: `blurred(maps, 0.05)`
    """
    rows, columns = ops.shape(maps)[-2:]
    sigma = sigma * ops.cast(ops.maximum(rows, columns), "float32")
    down, across = (_weights(count, sigma) for count in (rows, columns))
    return ops.matmul(ops.matmul(down, maps), ops.transpose(across))


def _weights(count, sigma):
    """(count, count): each row the Gaussian's weights around one place; they sum to 1."""
    places = ops.cast(ops.arange(count), "float32")
    weights = ops.exp(-0.5 * ops.square((places[:, None] - places[None]) / sigma))
    return weights / ops.sum(weights, axis=1, keepdims=True)
