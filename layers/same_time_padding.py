"""TensorFlow's SAME padding of the time axis only."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SameTimePadding(keras.layers.Layer):
    """Pads the time axis with zeros as TensorFlow's SAME does, for a window applied afterwards.

    The padding depends on the length: `kernel - stride` zeros if the stride divides it, otherwise
    `kernel - length % stride`. The larger half is added after the last frame.

    Args:
        kernel: Number of frames in the window.
        stride: Stride of the window, at most `kernel`.

    Input shape: (batch, time, ...), with any number of frames.

    Output shape: (batch, time + padding, ...).

    Raises:
        ValueError: `stride` is not between 1 and `kernel`.

    Example: `SameTimePadding(7, 2)` pads 16 frames to 21, and 17 to 23: 8 and 9 windows.
    """

    def __init__(self, kernel: int, stride: int, **kwargs):
        super().__init__(**kwargs)
        if not 1 <= stride <= kernel:
            raise ValueError(
                "`stride` must be at least 1 and at most `kernel`. "
                f"Received: kernel={kernel}, stride={stride}"
            )
        self.kernel = kernel
        self.stride = stride

    def call(self, inputs):
        # Pad by the largest possible amount and crop the rest: `ops.pad` does not accept a length
        # that is known only when the model runs.
        most = self.kernel - 1
        before, after = most // 2, most - most // 2
        pads = [(0, 0), (before, after), *[(0, 0)] * (len(inputs.shape) - 2)]
        x = ops.pad(inputs, pads)
        time = inputs.shape[1] if inputs.shape[1] is not None else ops.shape(inputs)[1]
        total = self.kernel - 1 - (time - 1) % self.stride
        first = before - total // 2
        return x[:, first : first + time + total]

    def compute_output_shape(self, input_shape):
        batch, time, *rest = input_shape
        if time is not None:
            time += self.kernel - 1 - (time - 1) % self.stride
        return (batch, time, *rest)

    def get_config(self):
        return {**super().get_config(), "kernel": self.kernel, "stride": self.stride}
