"""Trains the cases on a number of devices and writes their weights, in a separate process.

    python -m tests.conformance.device_training OUTPUT DEVICES [--process 0 --port 12345]

The devices are virtual CPUs: logical devices of TensorFlow, host devices of JAX. With
`--process` there are two processes of one device each that train together, on JAX.
"""

from __future__ import annotations

import argparse
import contextlib
import operator
import os
from pathlib import Path

import numpy as np

BATCH, STEPS = 4, 3


def prepare(devices: int, process: int | None, port: int):
    """Create the devices; return the strategy with which TensorFlow models are built."""
    if process is None:
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    import keras

    if keras.config.backend() == "jax":
        if process is not None:
            keras.distribution.initialize(f"127.0.0.1:{port}", 2, process)
        if devices > 1:
            keras.distribution.set_distribution(
                keras.distribution.DataParallel(auto_shard_dataset=False)
            )
        return None
    import tensorflow as tf

    processor = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(processor, parts)
    if devices == 1:
        return None
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(devices)])


def train(name: str, strategy, devices: int, process: int | None = None) -> dict:
    """Weights before and after training, and what `fit` reported."""
    import keras

    from tests.conformance import device_cases
    from zoo import optimizers
    from zoo.training.devices import device_count

    distribution = keras.distribution.distribution()
    keras.utils.clear_session()  # this also resets the distribution
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(0)
    make, losses, _ = device_cases.CASES[name]
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = make()
        optimizer = optimizers.SGD(0.03, momentum=0.9, global_clipnorm=1.0)
        model.compile(optimizer, loss=losses, jit_compile=keras.config.backend() == "jax")
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
    parser.add_argument("output", type=Path)
    parser.add_argument("devices", type=int)
    parser.add_argument("--process", type=int)
    parser.add_argument("--port", type=int)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    strategy = prepare(options.devices, options.process, options.port)
    from tests.conformance import device_cases

    arrays = {}
    for name in options.only or device_cases.CASES:
        found = train(name, strategy, options.devices, options.process)
        for kind in ("before", "after"):
            for index, value in enumerate(found[kind]):
                arrays[f"{name}/{kind}/{index:03d}"] = value
        for key, value in found["history"].items():
            arrays[f"{name}/history/{key}"] = np.array(value)
    np.savez(options.output, **arrays)


if __name__ == "__main__":
    main()
