from __future__ import annotations

import keras
from keras import ops

from zoo.layers.neighbours import neighbours


@keras.saving.register_keras_serializable(package="zoo")
class LocalResponseNormalization(keras.layers.Layer):
    """Normalises each activation by those of neighbouring channels, like Caffe's LRN.

    `y_c = x_c / (k + alpha / size * sum x_j^2)^beta`, with the sum over `size` channels around c.

    Args:
        size: Number of channels in the sum; odd.
        alpha: Weight of the mean square.
        beta: Exponent.
        k: Constant in the denominator.

    Input and output shape: `(..., channels)`.

    Raises:
        ValueError: `size` is not an odd number above 0.

    Example: `LocalResponseNormalization(size=5, alpha=1e-4, beta=0.75)(features)`

    Reference: Krizhevsky et al., ImageNet classification with deep convolutional neural networks,
    2012.
    """

    def __init__(self, size=5, alpha=1e-4, beta=0.75, k=1.0, **kwargs):
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise ValueError(f"`size` must be an odd number of channels. Received: size={size}")
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def call(self, inputs):
        values = ops.cast(inputs, "float32")
        half = self.size // 2
        squares = total = ops.square(values)
        for neighbour in neighbours(squares, half, half, axis=len(values.shape) - 1):
            total = total + neighbour
        normalised = values * ops.power(self.k + self.alpha / self.size * total, -self.beta)
        return ops.cast(normalised, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "alpha": self.alpha,
            "beta": self.beta,
            "k": self.k,
        }
