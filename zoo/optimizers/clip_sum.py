"""Clipping of the whole batch's gradient, where Keras clips each device's part."""

from __future__ import annotations

from zoo.layers.replicas import replica_count


class ClipSum:
    """Stands before a Keras optimizer: clips the sum over the devices, not each device's gradient.

    Under `tf.distribute` Keras clips first and adds up afterwards, so that `clipnorm`,
    `global_clipnorm` and `clipvalue` mean something else for every number of devices. On one
    device, and on JAX, where a gradient is that of the whole batch, nothing changes.
    """

    def _clip_gradients(self, grads):
        return grads if replica_count() > 1 else super()._clip_gradients(grads)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        grads_and_vars = super()._all_reduce_sum_gradients(grads_and_vars)
        if replica_count() == 1:
            return grads_and_vars
        grads, variables = zip(*grads_and_vars)
        return list(zip(super()._clip_gradients(list(grads)), variables))
