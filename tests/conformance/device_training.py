"""Trains the cases on several numbers of devices and writes their weights, in a separate process.

    python -m tests.conformance.device_training FOLDER DEVICES... [--process 0 --port 12345]

The devices are virtual CPUs: logical devices of TensorFlow, host devices of JAX. With
`--process` there are two processes of one device each that train together, on JAX.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import operator
import os
from pathlib import Path

import numpy as np

BATCH, STEPS = 4, 3


def prepare(devices: int, process: int | None, port: int) -> None:
    """Create the devices."""
    # Small models are trained for a few steps, so that compiling takes longer than computing.
    # Without these optimizations, a case takes 22 s of processor time instead of 40 on JAX.
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    if process is None:
        flags += f" --xla_force_host_platform_device_count={devices}"
    os.environ["XLA_FLAGS"] = flags
    import keras

    if keras.config.backend() == "jax":
        if process is not None:
            keras.distribution.initialize(f"127.0.0.1:{port}", 2, process)
        return
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(processor, parts)


def distributed(devices: int):
    """Have the next models trained on this number of devices, those of all processes on JAX.

    Returns the scope in which to build them.
    """
    import keras

    keras.utils.clear_session()  # this also resets the distribution
    if keras.config.backend() == "jax":
        several = keras.distribution.DataParallel(auto_shard_dataset=False)
        keras.distribution.set_distribution(several if devices > 1 else None)
    elif devices > 1:
        return mirrored(devices).scope()
    return contextlib.nullcontext()


@functools.cache
def mirrored(devices: int):
    """The same strategy for all models: TensorFlow's collectives mix up those of several."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(devices)])


def train(name: str, devices: int, process: int | None = None) -> dict:
    """Weights before and after training, and what `fit` reported."""
    import keras

    from tests.conformance import device_cases
    from zoo import optimizers
    from zoo.training.devices import device_count

    scope = distributed(devices)
    keras.utils.set_random_seed(0)
    make, losses, _ = device_cases.CASES[name]
    with scope:
        model = make()
        optimizer = optimizers.SGD(0.03, momentum=0.9, global_clipnorm=1.0)
        model.compile(optimizer, loss=losses, jit_compile=keras.config.backend() == "jax")
        # TensorFlow would trace a step that creates variables twice.
        optimizer.build(model.trainable_variables)
    assert device_count(model) == devices, "the devices must be in force when a model is built"
    before = model.get_weights()
    batches = device_cases.batches(name, model, STEPS, BATCH)
    if process is not None:
        own = slice(process * BATCH // 2, (process + 1) * BATCH // 2)
        batches = keras.tree.map_structure(operator.itemgetter(own), batches)
    size = len(keras.tree.flatten(batches)[0])
    x, y, *weights = keras.tree.map_structure(lambda *each: np.concatenate(each), *batches)
    sample_weight = weights[0] if weights else None
    found = model.fit(x, y, sample_weight=sample_weight, batch_size=size, shuffle=False, verbose=0)
    return {"before": before, "after": model.get_weights(), "history": found.history}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for a file `DEVICES.npz` of each number")
    parser.add_argument("devices", type=int, nargs="+")
    parser.add_argument("--process", type=int)
    parser.add_argument("--port", type=int)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    prepare(max(options.devices), options.process, options.port)
    from tests.conformance import device_cases

    # One process trains on every number of devices, since starting one takes as long as a case.
    for devices in options.devices:
        arrays = {}
        for name in options.only or device_cases.CASES:
            found = train(name, devices, options.process)
            for kind in ("before", "after"):
                for index, value in enumerate(found[kind]):
                    arrays[f"{name}/{kind}/{index:03d}"] = value
            for key, value in found["history"].items():
                arrays[f"{name}/history/{key}"] = np.array(value)
        np.savez(options.folder / f"{devices}.npz", **arrays)


if __name__ == "__main__":
    main()
