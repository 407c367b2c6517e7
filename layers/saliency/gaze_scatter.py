"""The scatter of gaze around what people look at."""

from __future__ import annotations

import math

import keras
from keras import ops

from zoo.layers.saliency.blurred import blurred
from zoo.layers.saliency.mixed_density import log_of_density
from zoo.layers.saliency.seen_side import LARGE, seen_side

LARGEST = 0.05  # of the longer side: no video is blurred more


@keras.saving.register_keras_serializable(package="zoo")
class GazeScatter(keras.layers.Layer):
    """Blurs the density of small videos.

    Gaze scatters around what people look at, because the fovea is wider than a point and trackers
    are inexact. The scatter is a number of pixels of the screen, so it covers a larger part of a
    video that has few pixels. With a scatter of `pixels`, a density that was trained on the gaze
    of people who saw `LARGE` = 1000 pixels on the longer side is blurred with a Gaussian of the
    variance `(pixels / video_side)^2 - (pixels / LARGE)^2`, as a share of the longer side, and at
    most with a standard deviation of 5%. Videos of 1000 pixels or more stay as they are. No
    weights.

    Args:
        pixels: standard deviation of the scatter, in pixels of the video, 0 or more.
        video_side: longer side of the video, in pixels, before it was scaled for the model. None:
            1000 or more.

    Input: log density, (batch, time, rows, columns).

    Output shape: that of the input, a log density, float32 whatever the policy is.

    Raises:
        ValueError: an argument is out of range.

    Example: `GazeScatter(16, video_side=416)(log_density)`

    Reference: our own.
    """

    def __init__(self, pixels: float = 16.0, video_side: int | None = None, **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if pixels < 0:
            raise ValueError(f"`pixels` must be 0 or more. Received: pixels={pixels}")
        self.pixels = pixels
        self.video_side = video_side
        self.sigma = min(LARGEST, pixels * math.sqrt(seen_side(video_side) ** -2 - LARGE**-2))

    def call(self, inputs):
        if not self.sigma:
            return inputs
        return log_of_density(blurred(ops.exp(inputs), self.sigma))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "pixels": self.pixels, "video_side": self.video_side}
