"""A small run with dropout, for tests that interrupt it.

    python -m tests.training.interrupted kill FOLDER step7

kills this process after the seventh step. With `write3` it is killed in the third write of a file:
the new file is complete under its temporary name, but not yet moved to its place.

    python -m tests.training.interrupted compare FOLDER 2

compares a run that is interrupted within an epoch with an uninterrupted one, on two devices.
"""

from __future__ import annotations

import os
import signal
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.files import atomic
from zoo.training import Devices, WarmCosine, fit, make_optimizer, prepare_run
from zoo.training.devices import device_count
from zoo.training.engine.state_file import training_variables

EPOCHS, STEPS = 3, 4


def data(step: int) -> tf.data.Dataset:
    def batch(number):
        x = tf.random.stateless_normal((8, 6, 5), tf.stack([7, number]))
        return x, tf.reduce_sum(x, axis=(1, 2))[:, None]

    return tf.data.Dataset.range(step, 1 << 40).map(batch)


def build(precision: str = "float32", devices: int | None = None, **compiled) -> keras.Model:
    prepare_run(3, precision=precision)
    with Devices(devices).scope():
        model = keras.Sequential(
            [
                keras.layers.Input((6, 5)),
                keras.layers.Flatten(),
                keras.layers.Dense(16, activation="tanh"),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.5),
                keras.layers.Dense(1, dtype="float32"),
            ]
        )
        rate = WarmCosine(1e-2, EPOCHS * STEPS)
        accumulate = compiled.pop("accumulate", None)
        optimizer = make_optimizer("rmsprop", rate, weight_decay=1e-3, accumulate=accumulate)
        model.compile(optimizer, loss="mse", metrics=["mae"], **compiled)
    return model


def validate(model: keras.Model, epoch: int) -> dict[str, float]:
    x, y = next(iter(data(99)))
    found = keras.ops.convert_to_numpy(model(x.numpy(), training=False))
    return {"val_loss": float(np.mean((found - y.numpy()) ** 2))}


def train(output: str, callbacks=(), model: keras.Model | None = None, **options):
    model = model or build()
    given = {"epochs": EPOCHS, "validate": validate, "save_seconds": 0, **options}
    progress = fit(
        model, data, output=output, steps=STEPS, callbacks=callbacks, show_progress=False, **given
    )
    return model, progress


class BreakOff(keras.callbacks.Callback):
    """Calls a function after a step of a run."""

    def __init__(self, step: int, function):
        super().__init__()
        self.step, self.function = step, function

    def on_epoch_begin(self, epoch, logs=None):
        self.before = epoch * STEPS

    def on_train_batch_end(self, batch, logs=None):
        if self.before + batch + 1 == self.step:
            self.function()


def interrupt() -> None:
    raise KeyboardInterrupt


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_write(count: int) -> None:
    replace, calls = os.replace, []

    def counting(source, target):
        calls.append(target)
        if len(calls) == count:
            die()
        replace(source, target)

    atomic.os.replace = counting


def arrays(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in training_variables(model)]


def compare(folder: str, step: int = 6, **compiled) -> None:
    """Fail unless a run interrupted after a step ends like an uninterrupted one."""
    whole, first = train(f"{folder}/whole", model=build(**compiled))
    try:
        train(f"{folder}/broken", [BreakOff(step, interrupt)], build(**compiled))
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("the run was not broken off")
    resumed, second = train(f"{folder}/broken", model=build(**compiled))
    assert second.epoch == EPOCHS
    for one, other in zip(arrays(whole), arrays(resumed), strict=True):
        np.testing.assert_array_equal(one, other)
    if compiled.get("devices", 1) == 1:
        assert second.history == first.history
        return
    # Each replica sums a metric; a restored sum belongs to one replica, so the logged mean
    # may differ in its last bit. The weights above do not.
    for one, other in zip(first.history, second.history, strict=True):
        assert other == pytest.approx(one, rel=1e-6)


def refuse(folder: str, devices: int) -> None:
    """Fail unless a batch that the devices cannot share, and other devices, are errors."""
    model = build(devices=devices)
    assert device_count(model) == devices
    odd = {"output": f"{folder}/odd", "epochs": 1, "steps": 1, "show_progress": False}
    with pytest.raises(ValueError, match="a batch of 7 for 2 devices"):
        fit(model, lambda step: data(step).map(lambda x, y: (x[:7], y[:7])), **odd)
    if keras.config.backend() == "tensorflow":  # on JAX the devices are those of the process
        with pytest.raises(ValueError, match="devices: 2 then, 1 now"):
            train(f"{folder}/whole", model=build(), epochs=EPOCHS + 1)
    with pytest.raises(ValueError, match="between 1 and 2"):
        Devices(3)


if __name__ == "__main__":
    what, folder, where = sys.argv[1:4]
    if what == "compare":
        if keras.config.backend() == "tensorflow":
            kinds = [tf.config.LogicalDeviceConfiguration() for _ in range(int(where))]
            cpu = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(cpu, kinds)
        compare(folder, devices=int(where))
        refuse(folder, int(where))
    elif where.startswith("write"):
        die_in_write(int(where.removeprefix("write")))
        train(folder)
    else:
        train(folder, [BreakOff(int(where.removeprefix("step")), die)])
