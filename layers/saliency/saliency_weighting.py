from __future__ import annotations

import keras
from keras import ops

from zoo.layers.saliency.mixture_mass import mixture_mass

NORMALIZATIONS = ("max", "mean")


@keras.saving.register_keras_serializable(package="zoo")
class SaliencyWeighting(keras.layers.Layer):
    """Multiplies frames or feature maps by the saliency of their mixtures.

    Args:
        normalization: "max": the most salient position has weight 1, as for pixels. "mean": the
            weights of a frame have mean 1, so the mean of the weighted map is the expected
            feature under the saliency.
        gradient: Whether gradients flow back to the mixture.

    Call arguments: `inputs` and `mixture`. If there are fewer mixtures than frames, as with
    clips, the first mixture also applies to the frames before it.

    Input shape: inputs (batch, time, height, width, channels), mixture (batch, steps, C, 6) with
    at most as many steps as frames.

    Output shape: that of `inputs`.

    Raises:
        ValueError: There is no such normalisation, or the inputs have other shapes.

    Example: `SaliencyWeighting()(video, model(video)["mixture"])`

    Reference: Bazzani et al., ICLR 2017, section 3.4. The paper does not state the weights' scale.
    """

    def __init__(
        self,
        normalization: str = "max",
        *,
        gradient: bool = True,
        **kwargs,
    ):
        # Half precision would shift the mixture's means, so only the weights are cast.
        super().__init__(autocast=False, **kwargs)
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"`normalization` must be one of {NORMALIZATIONS}. "
                f"Received: normalization={normalization!r}"
            )
        self.normalization = normalization
        self.gradient = gradient

    def build(self, inputs_shape, mixture_shape):
        time, steps = inputs_shape[1], mixture_shape[1]
        if len(inputs_shape) != 5:
            raise ValueError(
                "`inputs` must have shape (batch, time, height, width, channels). "
                f"Received: {tuple(inputs_shape)}"
            )
        if time is not None and steps is not None and steps > time:
            raise ValueError(
                "There must not be more mixtures than frames: saliency and video must have the "
                f"same length. Received: {steps} mixtures, {time} frames"
            )
        self.built = True

    def call(self, inputs, mixture):
        if not self.gradient:
            mixture = ops.stop_gradient(mixture)
        weights = saliency_weights(mixture, *inputs.shape[2:4], self.normalization)
        missing = ops.shape(inputs)[1] - ops.shape(weights)[1]
        if not (isinstance(missing, int) and missing == 0):
            steps = ops.maximum(ops.arange(ops.shape(inputs)[1]) - missing, 0)
            weights = ops.take(weights, steps, axis=1)
        x = ops.cast(inputs, self.compute_dtype)
        return x * ops.cast(ops.expand_dims(weights, -1), x.dtype)

    def compute_output_shape(self, inputs_shape, mixture_shape):
        return tuple(inputs_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "normalization": self.normalization,
            "gradient": self.gradient,
        }


def saliency_weights(mixture, height, width, normalization="max"):
    """Weights (..., height, width), float32, from mixtures (..., C, 6); see `SaliencyWeighting`."""
    mass = mixture_mass(mixture, height, width)
    if normalization == "max":
        return mass / ops.max(mass, axis=(-2, -1), keepdims=True)
    return mass * (height * width)
