"""The mixture density head."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from zoo.layers.saliency.bounded_gaussians import BoundedGaussians, logit


@keras.saving.register_keras_serializable(package="zoo")
class MixtureDensity(BoundedGaussians):
    """A linear layer that outputs the parameters of a mixture of bivariate Gaussians.

    The standard deviations and the correlation are smoothly bounded, so that no component can
    collapse onto a single fixation. The layer computes in float32 under every dtype policy.

    Args:
        num_components: Number of Gaussians, C.
        min_sigma: Smallest standard deviation, as a fraction of the frame's side.
        max_sigma: Largest standard deviation, as a fraction of the frame's side.
        initial_sigma: Standard deviation of all components before training.
        max_correlation: Upper bound of |rho|, below 1.
        kernel_initializer: Initializer of the kernel.

    Input shape: (..., features).

    Output shape: (..., C, 6): logit, mean x, mean y, log sigma x, log sigma y, atanh rho.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    layer = zoo.layers.MixtureDensity(num_components=20)
    mixture = layer(np.zeros((2, 50, 256)))   # (2, 50, 20, 6)
    ```

    Reference: Bazzani et al., ICLR 2017, section 3. The bounds are our own: the paper states none.
    """

    def __init__(
        self,
        num_components: int = 20,
        *,
        min_sigma: float = 0.01,
        max_sigma: float = 1.0,
        initial_sigma: float = 0.15,
        max_correlation: float = 0.99,
        kernel_initializer="glorot_uniform",
        dtype=None,
        **kwargs,
    ):
        if not 0.0 < min_sigma < initial_sigma < max_sigma:
            raise ValueError(
                "`min_sigma`, `initial_sigma` and `max_sigma` must be positive and in ascending "
                f"order. Received: min_sigma={min_sigma}, initial_sigma={initial_sigma}, "
                f"max_sigma={max_sigma}"
            )
        super().__init__(min_sigma, max_sigma, max_correlation, kernel_initializer, dtype, **kwargs)
        if num_components < 1:
            raise ValueError(
                f"`num_components` must be at least 1. Received: num_components={num_components}"
            )
        self.num_components = num_components
        self.initial_sigma = initial_sigma

    def build(self, input_shape):
        units = 6 * self.num_components
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], units), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
        self.bias.assign(self._initial_bias())
        self.built = True

    def _initial_bias(self):
        """Means spread evenly over the frame, so that the components differ from the start."""
        bias = np.zeros((self.num_components, 6), "float32")
        # The R2 sequence, a two-dimensional low-discrepancy sequence of any length.
        plastic = 1.32471795724474602596
        steps = np.arange(1, self.num_components + 1)
        bias[:, 1] = (0.5 + steps / plastic) % 1.0
        bias[:, 2] = (0.5 + steps / plastic**2) % 1.0
        bias[:, 3:5] = logit(self.share(self.initial_sigma))
        return bias.reshape(-1)

    def call(self, inputs):
        x = ops.matmul(ops.cast(inputs, self.compute_dtype), self.kernel) + self.bias
        x = ops.reshape(x, (*ops.shape(x)[:-1], self.num_components, 6))  # (..., C, 6)
        return ops.concatenate([x[..., :3], self.spread(x)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_components, 6)

    def get_config(self):
        return {
            **super().get_config(),
            "num_components": self.num_components,
            "initial_sigma": self.initial_sigma,
        }
