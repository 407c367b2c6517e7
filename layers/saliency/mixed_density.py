"""The mixture of two densities, and the logarithm of one."""

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
    return log_of_density((1.0 - share) * first + share * second)


def log_of_density(density):
    """The logarithm of a density (..., rows, columns), normalised again.

    Example: `log_of_density(ops.exp(log_density))`
    """
    density = ops.maximum(density, FLOOR)
    return ops.log(density / ops.sum(density, axis=(-2, -1), keepdims=True))
