"""What the layers that make mixtures of Gaussians share: bounds, and float32."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops


class BoundedGaussians(keras.layers.Layer):
    """A layer whose outputs (..., 6) are Gaussians with smoothly bounded sigma and correlation.

    It computes in float32 whatever the global dtype policy is.

    Args:
        min_sigma: smallest standard deviation, as a share of the frame's side.
        max_sigma: largest standard deviation, likewise.
        max_correlation: bound of |rho|, below 1.
        kernel_initializer: initializer of the kernels.
    """

    def __init__(
        self, min_sigma, max_sigma, max_correlation, kernel_initializer, dtype=None, **kwargs
    ):
        # A density needs float32: under a mixed policy this layer stays out of it.
        super().__init__(dtype=dtype or "float32", **kwargs)
        if not 0.0 < min_sigma < max_sigma:
            raise ValueError(
                "`min_sigma` and `max_sigma` must be positive and in rising order. "
                f"Received: min_sigma={min_sigma}, max_sigma={max_sigma}"
            )
        if not 0.0 <= max_correlation < 1.0:
            raise ValueError(
                "`max_correlation` must be at least 0 and below 1. "
                f"Received: max_correlation={max_correlation}"
            )
        self.min_sigma = min_sigma
        self.max_sigma = max_sigma
        self.max_correlation = max_correlation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def share(self, sigma: float) -> float:
        """Where a sigma lies between the bounds, 0 to 1, on the scale of logarithms."""
        low, high = math.log(self.min_sigma), math.log(self.max_sigma)
        return (math.log(sigma) - low) / (high - low)

    def spread(self, x):
        """Unbounded (..., 6) -> log sigma x, log sigma y, atanh rho: (..., 3)."""
        low, high = math.log(self.min_sigma), math.log(self.max_sigma)
        log_sigma = low + (high - low) * ops.sigmoid(x[..., 3:5])
        bound = math.atanh(self.max_correlation)
        correlation = bound * ops.tanh(x[..., 5:]) if bound else ops.zeros_like(x[..., 5:])
        return ops.concatenate([log_sigma, correlation], axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "min_sigma": self.min_sigma,
            "max_sigma": self.max_sigma,
            "max_correlation": self.max_correlation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def logit(share: float) -> np.float32:
    """What the sigmoid turns into `share`."""
    return np.float32(math.log(share / (1.0 - share)))
