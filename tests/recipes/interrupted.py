"""Train a small model with dropout in `argv[1]`, and kill this process where `argv[2]` says."""

from __future__ import annotations

import os
import signal
import sys

import keras
import numpy as np

from zoo.training import checkpoint
from zoo.training.loop import fit, learning_rate, make_optimizer, prepare_run

EPOCHS, STEPS = 3, 4


def batches(epoch: int, step: int):
    for index in range(step, STEPS):
        rng = np.random.default_rng([7, epoch, index])
        x = rng.standard_normal((8, 6, 5)).astype("float32")
        yield x, x.sum(axis=(1, 2), keepdims=True)[:, 0]


def build(precision: str = "float32") -> keras.Model:
    prepare_run(3, precision=precision)
    model = keras.Sequential(
        [
            keras.layers.Input((6, 5)),
            keras.layers.LSTM(16),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, dtype="float32"),
        ]
    )
    model.compile(optimizer=make_optimizer("rmsprop", 1e-2, weight_decay=1e-3), loss="mse")
    return model


def validate(model: keras.Model, epoch: int) -> dict[str, float]:
    x, y = next(iter(batches(99, 0)))
    return {"val_loss": float(np.mean((model.predict(x, verbose=0) - y) ** 2))}


def train(output: str, callbacks=(), precision: str = "float32"):
    model = build(precision)
    run = fit(
        model,
        batches,
        output=output,
        epochs=EPOCHS,
        steps=STEPS,
        rate=lambda epoch, step: learning_rate(
            1e-2, epoch, step, steps=STEPS, epochs=EPOCHS, schedule="cosine"
        ),
        validate=validate,
        save_seconds=0,
        callbacks=callbacks,
        show_progress=False,
    )
    return model, run


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DieAtStep(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == STEPS + 2:
            die()


def die_in_the_next_write(count: int) -> None:
    """The file is written beside its place, and never moved there."""
    replace, calls = os.replace, []

    def counting(source, target):
        calls.append(target)
        if len(calls) == count:
            die()
        replace(source, target)

    checkpoint.os.replace = counting


if __name__ == "__main__":
    output, where = sys.argv[1:3]
    if where.startswith("write"):
        die_in_the_next_write(int(where.removeprefix("write")))
    train(output, [DieAtStep()] if where == "step" else [])
