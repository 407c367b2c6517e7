"""Creates optimizers by name."""

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
    """Create RMSprop, Adam, AdamW or SGD with momentum 0.9.

    Args:
        name: "rmsprop", "adam" (AdamW with `weight_decay`) or "sgd".
        rate: learning rate, or its schedule.
        clip: maximum global norm of the gradient; None does not clip.
        weight_decay: decoupled weight decay.
        accumulate: number of batches whose gradients are averaged for one update; None updates
            after every batch.

    Raises:
        ValueError: if `name` is unknown.

    Example: `make_optimizer("adam", 1e-3, clip=1.0)`
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
