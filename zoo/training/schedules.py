"""Learning rates as Keras schedules: functions of the step, so that a resume needs no more."""

from __future__ import annotations

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of the RMDN paper: constant for some epochs, then multiplied after each.

    Args:
        rate: rate at the start.
        steps: steps of an epoch.
        hold: epochs before the first change.
        decay: factor of each later epoch.

    Example: `StepDecay(3e-4, steps=100)` is 3e-4 for 8 epochs, then 2.85e-4.

    Reference: Bazzani et al., Recurrent Mixture Density Network for Spatiotemporal Visual
    Attention, ICLR 2017, section 4.1.
    """

    def __init__(self, rate: float, steps: int, hold: int = 8, decay: float = 0.95):
        self.rate, self.steps, self.hold, self.decay = rate, steps, hold, decay

    def __call__(self, step):
        epoch = ops.floor_divide(ops.cast(step, "int32"), self.steps)
        times = ops.cast(ops.maximum(epoch - self.hold + 1, 0), "float32")
        return self.rate * ops.power(ops.cast(self.decay, "float32"), times)

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps, "hold": self.hold, "decay": self.decay}


@keras.saving.register_keras_serializable("zoo")
class WarmCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise, then half a cosine down to zero.

    Args:
        rate: highest rate.
        total: steps of the run.
        warmup: share of them in which it rises.
    """

    def __init__(self, rate: float, total: int, warmup: float = 0.05):
        self.rate, self.total, self.warmup = rate, total, warmup

    def __call__(self, step):
        done = (ops.cast(step, "float32") + 1.0) / self.total
        fall = ops.clip((done - self.warmup) / (1.0 - self.warmup), 0.0, 1.0)
        falling = 0.5 * (1.0 + ops.cos(math.pi * fall))
        rising = done / max(self.warmup, 1e-12)
        return self.rate * ops.where(done < self.warmup, rising, falling)

    def get_config(self):
        return {"rate": self.rate, "total": self.total, "warmup": self.warmup}


@keras.saving.register_keras_serializable("zoo")
class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of the LSTS paper: halved after every so many steps.

    Args:
        rate: rate at the start.
        every: steps after which it is halved.
    """

    def __init__(self, rate: float, every: int):
        self.rate, self.every = rate, every

    def __call__(self, step):
        times = ops.floor_divide(ops.cast(step, "int32"), self.every)
        return self.rate * ops.power(ops.cast(0.5, "float32"), ops.cast(times, "float32"))

    def get_config(self):
        return {"rate": self.rate, "every": self.every}


def schedule(
    name: str, rate: float, *, steps: int, epochs: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate by its name: `decay`, `cosine` or `constant`.

    Args:
        name: which.
        rate: its highest value.
        steps: steps of an epoch.
        epochs: epochs of the run.
    """
    if name == "constant":
        return rate
    if name == "decay":
        return StepDecay(rate, steps)
    if name == "cosine":
        return WarmCosine(rate, steps * epochs)
    raise ValueError(
        f"`schedule` must be one of 'decay', 'cosine', 'constant'. Received: schedule={name!r}"
    )
