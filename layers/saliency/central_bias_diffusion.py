from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class CentralBiasDiffusion(keras.layers.Layer):
    """Adds a fixed mixture, the central bias of the training data, to each predicted mixture.

    The sum of two mixtures is a mixture. Its density is `(1 - share) * prediction + share *
    bias`, and so is its map if little of either mixture lies outside the frame.

    The bias is a non-trainable weight, `bias` (K, 6). Until `set_bias` is called, it is one wide
    Gaussian at the centre.

    Args:
        num_components: Number of Gaussians of the bias, K.
        share: Weight of the bias, at least 0 and below 1; 0.5 in the paper, which adds the maps.

    Input shape: (..., C, 6).

    Output shape: (..., C + K, 6), float32.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    layer = CentralBiasDiffusion(20)
    wider = layer(mixture)
    layer.set_bias(fitted)   # (20, 6)
    ```

    Reference: Bazzani et al., ICLR 2017, section 4.2, last row of Table 5.
    """

    def __init__(self, num_components: int = 20, *, share: float = 0.5, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if num_components < 1 or not 0.0 <= share < 1.0:
            raise ValueError(
                "`num_components` must be at least 1 and `share` at least 0 and below 1. "
                f"Received: num_components={num_components}, share={share}"
            )
        self.num_components = num_components
        self.share = share

    def build(self, input_shape):
        self.bias = self.add_weight(
            name="bias", shape=(self.num_components, 6), initializer="zeros", trainable=False
        )
        centred = np.array([0.0, 0.5, 0.5, math.log(0.25), math.log(0.25), 0.0], "float32")
        self.bias.assign(np.tile(centred, (self.num_components, 1)))
        self.built = True

    def set_bias(self, mixture):
        """Set the bias to a fitted mixture (K, 6).

        Raises:
            ValueError: The mixture has another shape.
        """
        if tuple(mixture.shape) != (self.num_components, 6):
            raise ValueError(
                f"`mixture` must have shape ({self.num_components}, 6). "
                f"Received: {tuple(mixture.shape)}"
            )
        self.bias.assign(mixture)

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        if self.share == 0.0:
            own, other = ops.log_softmax(x[..., 0], axis=-1), -1e4
        else:
            own = ops.log_softmax(x[..., 0], axis=-1) + math.log1p(-self.share)
            other = math.log(self.share)
        logits = ops.log_softmax(self.bias[:, 0]) + other  # (K,)
        bias = ops.concatenate([logits[:, None], self.bias[:, 1:]], axis=-1)
        bias = ops.broadcast_to(bias, (*ops.shape(x)[:-2], self.num_components, 6))
        own = ops.concatenate([own[..., None], x[..., 1:]], axis=-1)
        return ops.concatenate([own, bias], axis=-2)

    def compute_output_shape(self, input_shape):
        *rest, components, six = input_shape
        total = None if components is None else components + self.num_components
        return (*rest, total, six)

    def get_config(self):
        config = super().get_config()
        config.pop("dtype", None)
        return {**config, "num_components": self.num_components, "share": self.share}
