"""Copies of a model that share a batch under `tf.distribute`, the one thing `keras.ops` lacks.

Under `keras.distribution` on JAX an array is the whole batch, whatever the number of devices: there
is one copy, and nothing to add up.
"""

from __future__ import annotations

import keras


def replica_count() -> int:
    """Number of copies of the model that take part in a step; 1 but under `tf.distribute`.

    Example: `replica_count()` is 2 in a model that `tf.distribute.MirroredStrategy` runs on two
    GPUs.
    """
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(value):
    """The sum of a tensor over the copies; outside a copy's own computation the tensor itself."""
    if replica_count() == 1:
        return value
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def this_replica():
    """An object that stands for the copy of the model that is being computed, None outside."""
    if replica_count() == 1:
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
