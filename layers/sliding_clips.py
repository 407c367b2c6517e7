"""Overlapping clips of a video."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SlidingClips(keras.layers.Layer):
    """Extracts all clips of `clip_length` consecutive steps, `stride` steps apart.

    Args:
        clip_length: Number of steps in a clip, K.
        stride: Number of steps from the start of one clip to the start of the next.

    Input shape: (batch, time, ...), time at least K.

    Output shape: (batch, (time - K) // stride + 1, K, ...).

    Raises:
        ValueError: An argument is below 1, or the input is shorter than a clip.

    Example: `SlidingClips(16)(np.zeros((1, 65, 112, 112, 3)))` has shape
    (1, 50, 16, 112, 112, 3).

    Reference: Bazzani et al., ICLR 2017, section 3.1 (K = 16, stride 1).
    """

    def __init__(self, clip_length: int = 16, *, stride: int = 1, **kwargs):
        super().__init__(**kwargs)
        if clip_length < 1 or stride < 1:
            raise ValueError(
                "`clip_length` and `stride` must be at least 1. "
                f"Received: clip_length={clip_length}, stride={stride}"
            )
        self.clip_length = clip_length
        self.stride = stride

    def build(self, input_shape):
        self._count(input_shape[1])
        self.built = True

    def _count(self, time):
        if time is not None and time < self.clip_length:
            raise ValueError(
                f"The input must have at least `clip_length`={self.clip_length} steps. "
                f"Received: {time} steps"
            )
        return None if time is None else (time - self.clip_length) // self.stride + 1

    def call(self, inputs):
        count = (ops.shape(inputs)[1] - self.clip_length) // self.stride + 1
        starts = ops.arange(0, count, dtype="int32") * self.stride
        steps = ops.expand_dims(starts, 1) + ops.arange(0, self.clip_length, dtype="int32")
        return ops.take(inputs, steps, axis=1)  # (batch, clips, clip_length, ...)

    def compute_output_shape(self, input_shape):
        return (
            input_shape[0],
            self._count(input_shape[1]),
            self.clip_length,
            *input_shape[2:],
        )

    def get_config(self):
        return {**super().get_config(), "clip_length": self.clip_length, "stride": self.stride}
