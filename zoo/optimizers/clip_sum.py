"""Gradient clipping on several devices: of the sum, instead of each device's part."""

from __future__ import annotations

from zoo.layers.replicas import replica_count


class ClipSum:
    """Mixin for a Keras optimizer: clip gradients after, not before, they are summed over devices.

    Under `tf.distribute` Keras clips each device's gradient before the sum, so the effect of
    `clipnorm`, `global_clipnorm` and `clipvalue` depends on the number of devices. Nothing changes
    on one device, or on JAX, where a gradient is that of the whole batch.
    """

    def _clip_gradients(self, grads):
        return grads if replica_count() > 1 else super()._clip_gradients(grads)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        grads_and_vars = super()._all_reduce_sum_gradients(grads_and_vars)
        if replica_count() == 1:
            return grads_and_vars
        grads, variables = zip(*grads_and_vars)
        return list(zip(super()._clip_gradients(list(grads)), variables))
