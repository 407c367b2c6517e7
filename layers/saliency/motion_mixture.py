"""A density that is drawn to what moves."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.saliency.blurred import blurred
from zoo.layers.saliency.mixed_density import mixed_density

STILL = 0.05  # grey levels: at this mean change, motion has half of its full weight


@keras.saving.register_keras_serializable(package="zoo")
class MotionMixture(keras.layers.Layer):
    """Mixes a density with a second one, of where the picture has changed.

    The change is the absolute difference of two frames' brightness, blurred with a Gaussian; the
    second density is its product with a power of the first. It counts the more, the more compact
    the change is: `share * KL / (KL + spread)`, where KL is the divergence of the change from a
    uniform one, in nats. When the camera moves everything changes, and the density stays as it
    is; so does that of a still picture. No weights.

    Args:
        share: largest weight of the second density, in [0, 1).
        power: of the density in the second one, 0 or more.
        sigma: of the Gaussian, as a share of the longer side.
        spread: divergence at which the weight is half of `share`, in nats.

    Input: [log density, brightness of the frame, brightness of an earlier frame or
    0 where there is none], each (batch, time, rows, columns).

    Output shape: (batch, time, rows, columns), a log density, float32 whatever the policy is.

    Example:

    ```python
    brightness = FrameBrightness()([rgb, log_density])
    log_density = MotionMixture()([log_density, brightness, Earlier(3)(brightness)])
    ```
    """

    def __init__(
        self,
        share: float = 0.5,
        power: float = 0.5,
        sigma: float = 0.075,
        spread: float = 0.3,
        **kwargs,
    ):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if not 0.0 <= share < 1.0:
            raise ValueError(f"`share` must be in [0, 1). Received: share={share}")
        if power < 0 or not (sigma > 0 and spread > 0):
            raise ValueError(
                "`power` must be 0 or more, `sigma` and `spread` positive. "
                f"Received: power={power}, sigma={sigma}, spread={spread}"
            )
        self.share = share
        self.power = power
        self.sigma = sigma
        self.spread = spread

    def call(self, inputs):
        log_density, now, before = inputs
        change = ops.where(before > 0, ops.abs(now - before), 0.0)
        change = blurred(change, self.sigma)
        mean = ops.mean(change, axis=(-2, -1), keepdims=True)
        relative = change / ops.maximum(mean, 1e-6)  # 1 everywhere where it is uniform
        divergence = ops.mean(
            relative * ops.log(ops.maximum(relative, 1e-9)), axis=(-2, -1), keepdims=True
        )
        divergence = ops.maximum(divergence, 0.0)
        share = self.share * mean / (mean + STILL) * divergence / (divergence + self.spread)
        moving = (change + 1e-6) * ops.exp(self.power * log_density)
        moving = moving / ops.sum(moving, axis=(-2, -1), keepdims=True)
        return mixed_density(ops.exp(log_density), moving, share)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        names = ("share", "power", "sigma", "spread")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
