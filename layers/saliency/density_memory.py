"""Mixing a density with those of the preceding frames."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.saliency.mixed_density import FLOOR, mixed_density


@keras.saving.register_keras_serializable(package="zoo")
class DensityMemory(keras.layers.Layer):
    """Mixes each frame's density with the mean density of the preceding frames.

    People keep looking at the same place for some time, which a network that sees one frame at a
    time cannot know. The mean comes from `PastDensity`, whose state a streamed model carries from
    step to step. It may have any scale, because it is normalised here; so the first frames of a
    video are correct too.

    Args:
        share: Weight of the past, in [0, 1].

    Input shape: [log density of the frame (..., rows, columns), mean of the densities (not of
    their logarithms) (..., rows, columns)].

    Output shape: (..., rows, columns), a log density.

    Raises:
        ValueError: `share` is not in [0, 1].

    Example:

    ```python
    past = PastDensity(16)(Density()(log_density))   # (batch, time, 48, 80)
    log_density = DensityMemory(0.5)([log_density, past])
    ```
    """

    def __init__(self, share: float = 0.5, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"`share` must be in [0, 1]. Received: share={share}")
        self.share = share

    def call(self, inputs):
        log_density, past = inputs
        past = past / ops.maximum(ops.sum(past, axis=(-2, -1), keepdims=True), FLOOR)
        return mixed_density(ops.exp(log_density), past, self.share)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape[0])

    def get_config(self):
        return {**super().get_config(), "share": self.share}
