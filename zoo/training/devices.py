"""Training on several devices and several machines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def join_machines() -> None:
    """On JAX, join a run on several machines that the `KERAS_DISTRIBUTION_*` variables describe.

    Without these variables it does nothing. Call it before anything else uses JAX. Every machine
    runs the same command with `KERAS_DISTRIBUTION_JOB_ADDRESSES`,
    `KERAS_DISTRIBUTION_NUM_PROCESSES` and its own `KERAS_DISTRIBUTION_PROCESS_ID`.

    Raises:
        ValueError: if the variables are set and the backend is not JAX.
    """
    if "KERAS_DISTRIBUTION_JOB_ADDRESSES" not in os.environ:
        return
    if keras.config.backend() != "jax":
        raise ValueError(
            "Training on several machines needs the JAX backend: Keras's `fit` does not work "
            "under `tf.distribute.MultiWorkerMirroredStrategy`. "
            f"Received: backend={keras.config.backend()!r}"
        )
    keras.distribution.initialize()


class Devices:
    """The devices that train a model.

    Each device processes an equal share of every batch; the gradients are averaged. TensorFlow
    uses `tf.distribute.MirroredStrategy`, JAX `keras.distribution.DataParallel` over the devices
    of all machines.

    Args:
        count: number of devices; None uses one device, or on several machines all of them.

    Raises:
        ValueError: if there are fewer devices, if the backend is PyTorch and `count` exceeds 1,
            or if several machines would use only some of their devices.

    Example:

    ```python
    devices = Devices(2)
    with devices.scope():
        model = zoo.rmdn()
        model.compile(...)
    model.fit(...)
    ```
    """

    def __init__(self, count: int | None = None):
        self._strategy = None
        backend = keras.config.backend()
        several = backend == "jax" and machines() > 1
        if count is None and not several:
            return
        if backend == "tensorflow":
            import tensorflow as tf

            kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
            there = [device.name for device in tf.config.list_logical_devices(kind)]
            _check(count, there)
            if count > 1:
                # TensorFlow's collectives on several CPU devices mix up large models' gradients.
                reduce = tf.distribute.ReductionToOneDevice() if kind == "CPU" else None
                self._strategy = tf.distribute.MirroredStrategy(there[:count], reduce)
        elif backend == "jax":
            there = keras.distribution.list_devices()
            count = len(there) if count is None else count
            _check(count, there)
            if several and count != len(there):
                raise ValueError(
                    "A run on several machines must use all of their devices; leave out `devices`. "
                    f"Received: devices={count} of {len(there)}"
                )
            if count > 1:
                parallel = keras.distribution.DataParallel(
                    devices=there[:count], auto_shard_dataset=False
                )
                keras.distribution.set_distribution(parallel)
        elif count != 1:
            raise ValueError(
                "Training on several devices needs the TensorFlow or JAX backend. "
                f"Received: devices={count}, backend={backend!r}"
            )

    def scope(self):
        """Context manager in which to build and compile models."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()


def machines() -> int:
    """Number of processes that train together."""
    if keras.config.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def machine() -> int:
    """Index of this process among those that train together; process 0 writes the files."""
    if keras.config.backend() != "jax":
        return 0
    import jax

    return jax.process_index()


def shard() -> tuple[int, int]:
    """This process's share of each batch, (index, count), as `zoo.datasets.stream` takes it."""
    return machine(), machines()


def device_count(model: keras.Model) -> int:
    """Number of devices that train a model."""
    if keras.config.backend() == "tensorflow":
        return model.distribute_strategy.num_replicas_in_sync
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(np.prod(distribution.device_mesh.shape))


def scope_of(model: keras.Model):
    """Context manager in which to create further variables of a model."""
    if keras.config.backend() == "tensorflow" and device_count(model) > 1:
        return model.distribute_strategy.scope()
    return contextlib.nullcontext()


def predict_on_batch(model: keras.Model, inputs: Any) -> Mapping[str, np.ndarray]:
    """A model's outputs for one batch, as NumPy arrays.

    Under `MirroredStrategy`, `keras.Model.predict_on_batch` would pass the whole batch to every
    replica and return one copy per replica.
    """
    if keras.config.backend() != "tensorflow":  # other backends do not take TensorFlow tensors
        inputs = keras.tree.map_structure(np.asarray, inputs)
    if device_count(model) > 1 and keras.config.backend() == "tensorflow":
        import tensorflow as tf

        if not hasattr(model, "_zoo_predict"):
            model._zoo_predict = tf.function(
                lambda batch: model(batch, training=False), reduce_retracing=True
            )
        outputs = model._zoo_predict(inputs)
    else:
        outputs = model.predict_on_batch(inputs)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


def _check(count: int, there: list) -> None:
    if not 1 <= count <= len(there):
        raise ValueError(
            f"`devices` must be between 1 and {len(there)}, the number of available devices. "
            f"Received: devices={count}"
        )
