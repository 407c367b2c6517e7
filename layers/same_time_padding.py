"""TensorFlow's SAME padding of the time axis alone."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class SameTimePadding(keras.layers.Layer):
    """Pads time with zeros as TensorFlow's SAME does, for a window that follows.

    What is padded depends on the length: `kernel - stride` zeros where the stride divides it, and
    `kernel - length % stride` otherwise; the larger half comes after the last frame.

    Args:
        kernel: frames of the window that follows.
        stride: its stride, at most `kernel`.

    Input shape: (batch, time, ...), of any time.

    Output shape: (batch, time + padding, ...).

    Example: `SameTimePadding(7, 2)` makes 21 frames of 16, and 23 of 17: 8 and 9 windows.
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
        # The most there can be on both sides, of which a part is then cut off: a length that is
        # known only when the model runs cannot be an argument of `ops.pad`.
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
