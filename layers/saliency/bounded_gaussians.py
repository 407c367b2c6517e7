"""Base class of the layers that output mixtures of Gaussians: bounds, and float32."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops


class BoundedGaussians(keras.layers.Layer):
    """Base class of layers that output Gaussians (..., 6) with smoothly bounded parameters.

    It computes in float32 under every dtype policy.

    Args:
        min_sigma: Smallest standard deviation, as a fraction of the frame's side.
        max_sigma: Largest standard deviation, as a fraction of the frame's side.
        max_correlation: Upper bound of |rho|, below 1.
        kernel_initializer: Initializer of the kernels.
    """

    def __init__(
        self, min_sigma, max_sigma, max_correlation, kernel_initializer, dtype=None, **kwargs
    ):
        # A density needs float32, so a mixed-precision policy does not apply to this layer.
        super().__init__(dtype=dtype or "float32", **kwargs)
        if not 0.0 < min_sigma < max_sigma:
            raise ValueError(
                "`min_sigma` and `max_sigma` must be positive and in ascending order. "
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
        """Position of a sigma between the bounds on a logarithmic scale, 0 to 1."""
        low, high = math.log(self.min_sigma), math.log(self.max_sigma)
        return (math.log(sigma) - low) / (high - low)

    def spread(self, x):
        """Unbounded values (..., 6) -> (..., 3): log sigma x, log sigma y, atanh rho."""
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
    """The inverse of the sigmoid."""
    return np.float32(math.log(share / (1.0 - share)))
