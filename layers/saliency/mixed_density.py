"""The mixture of two densities."""

from __future__ import annotations

from keras import ops

FLOOR = 1e-10  # below the value of a uniform density in a pixel of the largest video


def mixed_density(first, second, share):
    """The logarithm of the mixture of two densities, normalised again.

    Args:
        first, second: densities (not logarithms), (..., rows, columns).
        share: weight of the second one, a number or (..., 1, 1).

    Example: `mixed_density(ops.exp(log_density), past, 0.5)`
    """
    mixed = ops.maximum((1.0 - share) * first + share * second, FLOOR)
    return ops.log(mixed / ops.sum(mixed, axis=(-2, -1), keepdims=True))
