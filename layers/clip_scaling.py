"""Raw frames or flow fields to the range [-1, 1] that the I3D weights were trained on."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class ClipScaling(keras.layers.Layer):
    """Clips a clip's values to a range and maps them to [-1, 1].

    Args:
        low: The value that becomes -1; smaller ones are clipped.
        high: The value that becomes 1; larger ones are clipped.
        mode: `"fixed"` maps `low` to -1 and `high` to 1. `"min_max"` maps the clip's own
            smallest and largest clipped values to -1 and 1 (a constant clip becomes 0).
        reverse_channels: Whether the channels' order is reversed (RGB to BGR).

    Input shape: `(batch, time, height, width, channels)`.
    Output shape: the same.

    Example:

    ```python
    ClipScaling(-20, 20)(flow)  # pixels a frame, as the I3D flow stream expects them
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
        # Integers must reach `call` as they are: a cast by Keras to float16 would round them.
        self.autocast = False

    def call(self, inputs):
        # In float32: half precision would merge neighbouring values before the subtraction.
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
