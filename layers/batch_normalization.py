from __future__ import annotations

import keras
from keras import ops

from zoo.layers.replicas import replica_count, sum_over_replicas


@keras.saving.register_keras_serializable(package="zoo")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation with statistics of the whole batch, also on several devices.

    On one device, and under `keras.distribution` on JAX, it is `keras.layers.BatchNormalization`.
    Under `tf.distribute` the Keras layer normalises each device's part of the batch separately, so
    training depends on the number of devices. Its `synchronized=True` avoids that, but the other
    backends reject it, and it computes the variance as a difference of squares, which loses
    digits. This layer combines the devices' means and variances instead.

    Args: as `keras.layers.BatchNormalization`, without `synchronized`.

    Input shape: any. Output shape: the same.

    Example: `BatchNormalization(momentum=0.9)(features)`

    Reference: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
    sample variances, 1979.
    """

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
