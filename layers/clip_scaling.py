"""Scaling of raw frames or flow fields to [-1, 1], the range that I3D was trained on."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class ClipScaling(keras.layers.Layer):
    """Clips the values of a video clip to a range and maps them to [-1, 1].

    Args:
        low: Lower bound of the values.
        high: Upper bound of the values.
        mode: `"fixed"` maps `low` to -1 and `high` to 1. `"min_max"` maps the smallest clipped
            value of each clip to -1 and the largest to 1 (a constant clip becomes 0).
        reverse_channels: Whether to reverse the order of channels (RGB to BGR).

    Input shape: `(batch, time, height, width, channels)`.
    Output shape: the same.

    Raises:
        ValueError: `low` is not below `high`, or there is no such mode.

    Example:

    ```python
    ClipScaling(-20, 20)(flow)  # pixels per frame, as the I3D flow stream expects
    ClipScaling(0, 255)(rgb)
    ```

    Reference: Carreira and Zisserman, "Quo vadis, action recognition?", CVPR 2017.
    """

    def __init__(
        self,
        low: float = 0.0,
        high: float = 255.0,
        mode: str = "fixed",
        reverse_channels: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not low < high:
            raise ValueError(f"`low` must be below `high`. Received: low={low}, high={high}")
        if mode not in ("fixed", "min_max"):
            raise ValueError(f"`mode` must be 'fixed' or 'min_max'. Received: mode={mode!r}")
        self.low = low
        self.high = high
        self.mode = mode
        self.reverse_channels = reverse_channels
        # Integers must reach `call` unchanged: Keras's cast to float16 would round them.
        self.autocast = False

    def call(self, inputs):
        # In float32, because half precision would merge neighbouring values.
        x = ops.clip(ops.cast(inputs, "float32"), self.low, self.high)
        if self.reverse_channels:
            x = ops.flip(x, axis=-1)
        low, high = self.low, self.high
        if self.mode == "min_max":
            axes = tuple(range(1, len(x.shape)))
            low = ops.min(x, axis=axes, keepdims=True)
            high = ops.max(x, axis=axes, keepdims=True)
            middle = (low + high) / 2
            half = ops.maximum((high - low) / 2, keras.config.epsilon())
        else:
            middle, half = (low + high) / 2, (high - low) / 2
        return ops.cast((x - middle) / half, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "low": self.low,
            "high": self.high,
            "mode": self.mode,
            "reverse_channels": self.reverse_channels,
        }
