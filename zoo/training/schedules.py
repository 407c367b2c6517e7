"""Learning rate schedules; they depend on the step alone, so a resume restores them."""

from __future__ import annotations

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("zoo")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The RMDN paper's schedule: constant at first, then multiplied by `decay` every epoch.

    Args:
        rate: initial learning rate.
        steps: steps per epoch.
        hold: number of epochs with the initial rate.
        decay: factor applied in each later epoch.

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
    """Linear warm-up, then cosine decay to zero.

    Args:
        rate: peak learning rate.
        total: steps in the whole run.
        warmup: share of the steps used for the warm-up.

    Example: `WarmCosine(1e-3, total=1000)` reaches 1e-3 after 50 steps and 0 after 1000.
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
    """The LSTS paper's schedule: halved after every `every` steps.

    Args:
        rate: initial learning rate.
        every: steps between halvings.

    Example: `Halving(1e-3, every=1000)` is 1e-3 for 1000 steps, then 5e-4.
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
    """Create a learning rate schedule by name.

    Args:
        name: "decay" (`StepDecay`), "cosine" (`WarmCosine`) or "constant".
        rate: peak learning rate.
        steps: steps per epoch.
        epochs: epochs in the run.

    Raises:
        ValueError: if `name` is unknown.
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
