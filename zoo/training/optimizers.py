"""Optimizers by their names."""

from __future__ import annotations

import keras

from zoo import optimizers


def make_optimizer(
    name: str,
    rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    clip: float | None = 20.0,
    weight_decay: float | None = None,
    accumulate: int | None = None,
) -> keras.optimizers.Optimizer:
    """RMSprop, Adam, AdamW or SGD with momentum.

    Args:
        name: rmsprop, adam or sgd.
        rate: learning rate, or its schedule.
        clip: largest global norm of the gradient.
        weight_decay: decoupled weight decay.
        accumulate: batches whose mean gradient makes one update; None is every batch.
    """
    arguments = {
        "learning_rate": rate,
        "global_clipnorm": clip,
        "weight_decay": weight_decay,
        "gradient_accumulation_steps": accumulate,
    }
    if name == "rmsprop":
        return optimizers.RMSprop(**arguments)
    if name == "adam":
        return optimizers.Adam(**arguments)
    if name == "sgd":
        return optimizers.SGD(momentum=0.9, **arguments)
    raise ValueError(
        f"`optimizer` must be one of 'rmsprop', 'adam', 'sgd'. Received: optimizer={name!r}"
    )
