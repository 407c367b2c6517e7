from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """Depthwise convolution that is also fast with JAX on a CPU.

    The compiler of JAX has no fast depthwise convolution for CPUs. In compiled functions this layer
    adds up the kernel's taps there instead: the input, shifted by each position in the kernel,
    times the weight of that position. Everywhere else it is `keras.layers.DepthwiseConv2D`.

    Args: as `keras.layers.DepthwiseConv2D`.

    Input shape: (batch, height, width, channels).

    Output shape: (batch, height, width, channels * depth_multiplier), divided by the strides.

    Example: `DepthwiseConv2D(5, padding="same")(features)`
    """

    def call(self, inputs):
        plain = self.data_format == "channels_last" and self.depth_multiplier == 1
        if not (plain and _compiled_for_cpu_by_jax(inputs)):
            return super().call(inputs)
        outputs = self._sum_of_taps(inputs)
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, outputs.dtype)
        return self.activation(outputs)

    def _sum_of_taps(self, inputs):
        spans, pads = [], []
        for size, kernel, stride, dilation in zip(
            inputs.shape[1:3], self.kernel_size, self.strides, self.dilation_rate
        ):
            reach = (kernel - 1) * dilation + 1
            if self.padding == "same":
                count = -(-size // stride)
                missing = max((count - 1) * stride + reach - size, 0)
                pads.append((missing // 2, missing - missing // 2))
            else:
                count = (size - reach) // stride + 1
                pads.append((0, 0))
            spans.append((count - 1) * stride + 1)
        padded = ops.pad(inputs, ((0, 0), *pads, (0, 0)))
        total = 0.0
        for row in range(self.kernel_size[0]):
            for column in range(self.kernel_size[1]):
                top, left = row * self.dilation_rate[0], column * self.dilation_rate[1]
                tap = padded[
                    :,
                    top : top + spans[0] : self.strides[0],
                    left : left + spans[1] : self.strides[1],
                ]
                # Sums of many products are kept in float32 in mixed precision too.
                weight = ops.cast(self.kernel[row, column, :, 0], "float32")
                total = total + ops.cast(tap, "float32") * weight
        return ops.cast(total, self.compute_dtype)


def _compiled_for_cpu_by_jax(inputs) -> bool:
    if keras.config.backend() != "jax":
        return False
    import jax

    # Without compilation each tap would be several calls, and each call a program of its own.
    return isinstance(inputs, jax.core.Tracer) and jax.default_backend() == "cpu"
