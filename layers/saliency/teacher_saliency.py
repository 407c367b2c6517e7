from __future__ import annotations

import math

import keras
from keras import ops

from zoo.layers.saliency.saliency_weighting import saliency_weights


@keras.saving.register_keras_serializable(package="zoo")
class TeacherSaliency(keras.layers.Layer):
    """Appends the true saliency of the previous step to feature maps as an extra channel.

    The channel is zero at the first step and wherever the previous step has no fixations (all
    NaN); `SaliencyFeedback` then uses its own prediction. A data pipeline can thus schedule
    teacher forcing by setting fixations to NaN. Without `fixations` there is no teacher forcing.

    Args:
        sigma: Standard deviation of the Gaussian around a fixation, as a fraction of the frame's
            side.

    Input shape: features (batch, time, height, width, channels), fixations (batch, time, A, 2).

    Output shape: (batch, time, height, width, channels + 1).

    Raises:
        ValueError: `sigma` is not positive.

    Example: `TeacherSaliency()(features, fixations)`

    Reference: Williams and Zipser, A learning algorithm for continually running fully recurrent
    neural networks, 1989; Bengio et al., Scheduled sampling, 2015.
    """

    def __init__(self, sigma: float = 0.06, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if not sigma > 0:
            raise ValueError(f"`sigma` must be positive. Received: sigma={sigma}")
        self.sigma = sigma

    def build(self, features_shape, fixations_shape=None):
        self.built = True

    def call(self, features, fixations=None):
        features = ops.cast(features, self.compute_dtype)
        maps = ops.zeros_like(features[..., :1])
        if fixations is not None:
            truth = self._maps(fixations, *features.shape[2:4])
            truth = ops.cast(ops.expand_dims(truth, -1), features.dtype)
            maps = ops.concatenate([maps[:, :1], truth[:, :-1]], axis=1)
        return ops.concatenate([features, maps], axis=-1)

    def _maps(self, fixations, height, width):
        points = ops.cast(fixations, "float32")
        valid = ops.logical_not(ops.any(ops.isnan(points), axis=-1))  # (batch, time, A)
        points = ops.where(ops.expand_dims(valid, -1), points, 0.5)
        logits = ops.where(valid, 0.0, -1e4)
        spread = ops.full_like(logits, math.log(self.sigma))
        mixture = ops.stack(
            [logits, points[..., 0], points[..., 1], spread, spread, ops.zeros_like(logits)],
            axis=-1,
        )
        seen = ops.cast(ops.any(valid, axis=-1), "float32")[..., None, None]
        return seen * saliency_weights(mixture, height, width)

    def compute_output_shape(self, features_shape, fixations_shape=None):
        return (*features_shape[:-1], features_shape[-1] + 1)

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}
