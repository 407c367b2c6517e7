"""Gaussians tied to the positions of a feature map."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from zoo.layers.saliency.bounded_gaussians import BoundedGaussians, logit


@keras.saving.register_keras_serializable(package="zoo")
class LocalMixture(BoundedGaussians):
    """Outputs one bivariate Gaussian for each position of a feature map, weighted by a state.

    All positions share their weights, so what is learned about an object in one place applies
    everywhere. (A linear layer on the whole map has to learn each position separately.) The mean
    is the centre of the position plus an offset of at most `reach` positions. The logit is linear
    in the position's features; one part is constant over time, the other depends on the state,
    like a query in attention. The layer computes in float32 under every dtype policy.

    Args:
        reach: Largest offset of a mean, in positions of the map.
        min_sigma: Smallest standard deviation, as a fraction of the frame's side.
        max_sigma: Largest standard deviation, as a fraction of the frame's side.
        max_correlation: Upper bound of |rho|, below 1.
        kernel_initializer: Initializer of the kernels.
        prior: The last channel of the maps is a log probability of each position. It is added to
            the logits, and the kernels start at zero, so that the mixture starts as that prior.

    Input shape: maps (batch, time, height, width, channels), state (batch, time, units).

    Output shape: (batch, time, height * width, 6), the six numbers of `MixtureDensity`.

    Raises:
        ValueError: An argument is out of range, or the inputs have other shapes.

    Example:

    ```python
    local = zoo.layers.LocalMixture()(maps, state)   # (2, 50, 7 * 7, 6)
    both = keras.ops.concatenate([zoo.layers.MixtureDensity(20)(state), local], axis=-2)
    ```

    Reference: our own; the mixture is that of Bazzani et al., ICLR 2017, section 3.
    """

    def __init__(
        self,
        *,
        reach: float = 1.0,
        min_sigma: float = 0.01,
        max_sigma: float = 1.0,
        max_correlation: float = 0.99,
        kernel_initializer="glorot_uniform",
        prior: bool = False,
        dtype=None,
        **kwargs,
    ):
        if prior:
            kernel_initializer = "zeros"
        super().__init__(min_sigma, max_sigma, max_correlation, kernel_initializer, dtype, **kwargs)
        if not reach > 0:
            raise ValueError(f"`reach` must be positive. Received: reach={reach}")
        self.reach = reach
        self.prior = prior

    def build(self, maps_shape, state_shape):
        if len(maps_shape) != 5 or None in maps_shape[2:] or len(state_shape) != 3:
            raise ValueError(
                "Maps must be (batch, time, height, width, channels) with a known size, and the "
                f"state (batch, time, units). Received: {tuple(maps_shape)}, {tuple(state_shape)}"
            )
        height, width, channels = maps_shape[2:]
        self.kernel = self.add_weight(
            name="kernel", shape=(channels, 6), initializer=self.kernel_initializer
        )
        self.query = self.add_weight(
            name="query", shape=(state_shape[-1], channels), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(6,), initializer="zeros")
        # Before training, each sigma is half a position.
        share = min(max(self.share(0.5 / max(height, width)), 0.05), 0.95)
        self.bias.assign(np.float32([0, 0, 0, logit(share), logit(share), 0]))
        self.built = True

    def call(self, maps, state):
        height, width, channels = maps.shape[2:]
        maps = ops.cast(maps, self.compute_dtype)
        maps = ops.reshape(maps, (*ops.shape(maps)[:2], height * width, channels))
        x = ops.matmul(maps, self.kernel) + self.bias
        query = ops.matmul(ops.cast(state, self.compute_dtype), self.query)
        chosen = ops.matmul(maps, query[..., None]) / math.sqrt(channels)
        rows, columns = np.divmod(np.arange(height * width), width)
        middle = np.stack([(columns + 0.5) / width, (rows + 0.5) / height], axis=-1)
        middle = ops.convert_to_tensor(middle, self.compute_dtype)
        reach = ops.convert_to_tensor([self.reach / width, self.reach / height], self.compute_dtype)
        mean = middle + reach * ops.tanh(x[..., 1:3])
        logits = x[..., :1] + chosen
        if self.prior:
            logits = logits + maps[..., -1:]
        return ops.concatenate([logits, mean, self.spread(x)], axis=-1)

    def compute_output_shape(self, maps_shape, state_shape):
        return (*maps_shape[:2], maps_shape[2] * maps_shape[3], 6)

    def get_config(self):
        return {**super().get_config(), "reach": self.reach, "prior": self.prior}
