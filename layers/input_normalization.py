"""Conversion of raw pixels to the input that a backbone's weights expect."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class InputNormalization(keras.layers.Layer):
    """Converts raw RGB pixels (0 to 255) to a backbone's input: `(x - mean) / scale`.

    Args:
        mean: A number, or one number per channel in the order of the output's channels.
        scale: A number, or one number per channel.
        channel_order: "rgb", or "bgr" to reverse the channels first.
        mean_shape: None, or the shape of a mean image or mean clip that is subtracted in
            addition to `mean`. It is a non-trainable weight, zero until weights are loaded.

    Input shape: (..., channels), any numeric type.

    Output shape: as the input, in the layer's compute dtype.

    Raises:
        ValueError: There is no such channel order.

    Example: `InputNormalization(mean=(104, 117, 123), channel_order="bgr")(rgb)`
    """

    def __init__(self, *, mean=0.0, scale=1.0, channel_order="rgb", mean_shape=None, **kwargs):
        super().__init__(**kwargs)
        if channel_order not in ("rgb", "bgr"):
            raise ValueError(
                f'`channel_order` must be "rgb" or "bgr". Received: channel_order={channel_order!r}'
            )
        self.mean = mean
        self.scale = scale
        self.channel_order = channel_order
        self.mean_shape = mean_shape
        # Integers must reach `call` unchanged: Keras's cast to float16 would round them.
        self.autocast = False

    def build(self, input_shape):
        self.mean_image = None
        if self.mean_shape is not None:
            self.mean_image = self.add_weight(
                name="mean_image",
                shape=tuple(self.mean_shape),
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
        self.built = True

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        if self.channel_order == "bgr":
            x = ops.flip(x, axis=-1)
        x = x - ops.convert_to_tensor(self.mean, "float32")
        if self.mean_image is not None:
            x = x - self.mean_image
        x = x / ops.convert_to_tensor(self.scale, "float32")
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "mean": self.mean,
            "scale": self.scale,
            "channel_order": self.channel_order,
            "mean_shape": self.mean_shape,
        }
