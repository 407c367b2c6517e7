"""Training on several devices, and on several machines."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def join_machines() -> None:
    """On JAX, join the machines of a run that `KERAS_DISTRIBUTION_*` describes; else do nothing.

    To be called before anything else uses JAX. Every machine runs the same command with
    `KERAS_DISTRIBUTION_JOB_ADDRESSES`, `KERAS_DISTRIBUTION_NUM_PROCESSES` and its own
    `KERAS_DISTRIBUTION_PROCESS_ID`.
    """
    if "KERAS_DISTRIBUTION_JOB_ADDRESSES" not in os.environ:
        return
    if keras.config.backend() != "jax":
        raise ValueError(
            "Training on several machines needs the backend jax: Keras's `fit` does not train "
            "under `tf.distribute.MultiWorkerMirroredStrategy`. "
            f"Received: backend={keras.config.backend()!r}"
        )
    keras.distribution.initialize()


class Devices:
    """The devices that a model is trained on.

    Each takes an equal part of a batch; the gradients are averaged. On TensorFlow this is
    `tf.distribute.MirroredStrategy`, on JAX `keras.distribution.DataParallel` over the devices of
    all machines.

    Args:
        count: how many; None is one device, on several machines all of them.

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
                # Collectives of several CPU devices mix up the gradients of large models.
                reduce = tf.distribute.ReductionToOneDevice() if kind == "CPU" else None
                self._strategy = tf.distribute.MirroredStrategy(there[:count], reduce)
        elif backend == "jax":
            there = keras.distribution.list_devices()
            count = len(there) if count is None else count
            _check(count, there)
            if several and count != len(there):
                raise ValueError(
                    "On several machines all devices take part. "
                    f"Received: devices={count} of {len(there)}"
                )
            if count > 1:
                parallel = keras.distribution.DataParallel(
                    devices=there[:count], auto_shard_dataset=False
                )
                keras.distribution.set_distribution(parallel)
        elif count != 1:
            raise ValueError(
                "Several devices need the backend tensorflow or jax. "
                f"Received: devices={count}, backend={backend!r}"
            )

    def scope(self):
        """What models are to be built and compiled in."""
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()


def machines() -> int:
    """How many processes train together."""
    if keras.config.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def machine() -> int:
    """The number of this process among those that train together; 0 writes the files."""
    if keras.config.backend() != "jax":
        return 0
    import jax

    return jax.process_index()


def shard() -> tuple[int, int]:
    """This process's part of every batch, as `zoo.datasets.stream` takes it: (number, of all)."""
    return machine(), machines()


def device_count(model: keras.Model) -> int:
    """How many devices a model is trained on."""
    if keras.config.backend() == "tensorflow":
        return model.distribute_strategy.num_replicas_in_sync
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(np.prod(distribution.device_mesh.shape))


def scope_of(model: keras.Model):
    """What a model's variables are to be made in."""
    if keras.config.backend() == "tensorflow" and device_count(model) > 1:
        return model.distribute_strategy.scope()
    return contextlib.nullcontext()


def predict_on_batch(model: keras.Model, inputs: Any) -> Mapping[str, np.ndarray]:
    """A model's outputs for one batch.

    `keras.Model.predict_on_batch` gives every replica of a `MirroredStrategy` the whole batch, and
    returns it as often.
    """
    if keras.config.backend() != "tensorflow":  # which takes no tensors of TensorFlow
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
            f"`devices` must be from 1 to {len(there)}, the devices of this run. "
            f"Received: devices={count}"
        )
