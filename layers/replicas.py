"""Sums over the replicas of a model that share a batch under `tf.distribute`.

`keras.ops` has nothing for this. Under `keras.distribution` on JAX an array is the whole batch for
any number of devices: there is one replica, and nothing to sum.
"""

from __future__ import annotations

import keras


def replica_count() -> int:
    """Number of replicas of the model that take part in a step; 1 except under `tf.distribute`.

    Example: `replica_count()` is 2 in a model that `tf.distribute.MirroredStrategy` runs on two
    GPUs.
    """
    if keras.config.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(value):
    """The sum of a tensor over all replicas; outside a replica, the tensor itself."""
    if replica_count() == 1:
        return value
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, value)


def this_replica():
    """An object that identifies the replica being computed; None outside a replica."""
    if replica_count() == 1:
        return None
    import tensorflow as tf

    return tf.distribute.get_replica_context()
