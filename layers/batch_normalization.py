from __future__ import annotations

import keras
from keras import ops

from zoo.layers.replicas import replica_count, sum_over_replicas

KERNEL_DTYPES = ("float32", "bfloat16", "float16")


@keras.saving.register_keras_serializable(package="zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation with statistics of the whole batch, also on several devices.

    On one device, and under `keras.distribution` on JAX, it is `keras.layers.BatchNormalization`.
    Under `tf.distribute` the Keras layer normalises each device's part of the batch separately, so
    training depends on the number of devices. Its `synchronized=True` avoids that, but the other
    backends reject it, and it computes the variance as a difference of squares, which loses
    digits. This layer combines the devices' means and variances instead.

    In training on TensorFlow with one replica, one kernel computes the statistics and the result,
    and one the gradients. Keras composes both of many operations, each of which reads and writes a
    tensor as large as the features.

    Args: as `keras.layers.BatchNormalization`, without `synchronized`.

    Input shape: any. Output shape: the same.

    Example: `BatchNormalization(momentum=0.9)(features)`

    Reference: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
    sample variances, 1979.
    """

    def call(self, inputs, training=None, mask=None):
        if training and self.trainable and mask is None and self._has_kernel(inputs):
            return self._by_one_kernel(inputs)
        return super().call(inputs, training=training, mask=mask)

    def _has_kernel(self, inputs) -> bool:
        """Whether TensorFlow has one kernel for this layer and these inputs."""
        return (
            keras.config.backend() == "tensorflow"
            and replica_count() == 1
            and self.axis in (-1, len(inputs.shape) - 1)
            and not getattr(self, "renorm", False)
            and keras.backend.standardize_dtype(inputs.dtype) in KERNEL_DTYPES
        )

    def _by_one_kernel(self, inputs):
        import tensorflow as tf

        channels = inputs.shape[-1]
        x = inputs
        if len(inputs.shape) == 5:
            # The batch stays the first axis, because cuDNN limits its length.
            batch, width = ops.shape(inputs)[0], ops.shape(inputs)[3]
            x = ops.reshape(inputs, (batch, -1, width, channels))
        elif len(inputs.shape) != 4:
            x = ops.reshape(inputs, (-1, 1, 1, channels))
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma if self.scale else ops.ones(channels, "float32"),
            offset=self.beta if self.center else ops.zeros(channels, "float32"),
            mean=ops.zeros(0, "float32"),
            variance=ops.zeros(0, "float32"),
            epsilon=self.epsilon,
        )
        # The kernel's variance is the sum of squares divided by one less than their number.
        count = ops.cast(ops.prod(ops.shape(x)[:3]), "float32")
        variance = variance * (count - 1) / count
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return ops.reshape(outputs, ops.shape(inputs))

    def _moments(self, inputs, mask):
        mean, variance = super()._moments(inputs, mask)
        # With a mask and a single channel Keras drops the only axis.
        shape = self.moving_mean.shape
        mean, variance = (ops.reshape(value, shape) for value in (mean, variance))
        if replica_count() == 1:
            return mean, variance
        counted = ops.ones_like(inputs[..., :1]) if mask is None else mask
        count = ops.sum(ops.cast(counted, mean.dtype))[None]
        # A device without samples has no statistics (NaN) and must contribute nothing.
        mean, variance = (ops.where(count > 0, value, 0.0) for value in (mean, variance))
        sums = sum_over_replicas(ops.concatenate([count, count * mean]))
        total, whole = sums[0], sums[1:] / ops.maximum(sums[0], 1.0)
        squares = count * (variance + ops.square(mean - whole))
        return whole, sum_over_replicas(squares) / ops.maximum(total, 1.0)

    def get_config(self):
        config = super().get_config()
        del config["synchronized"]
        return config
