"""Options that all recipes share."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of every recipe.

    Args:
        data_dir: folder of the data set; for `csv` the table; for `shards` the output folder of
            `zoo prepare`.
        output: folder of the run.
        cache: folder for the features of a frozen backbone, which several runs may share; default
            `OUTPUT/cache`. none recomputes them for every batch.
        skip_bad: leave out videos that are unreadable or too short, with a warning.
        batch_size: samples per batch, over all devices and machines together.
        accumulate: number of batches whose gradients are averaged for one weight update.
        rate: peak learning rate.
        epochs: maximum number of epochs; a larger number extends a finished run.
        patience: stop after this many epochs without a better validation score.
        min_delta: smallest change that counts as an improvement.
        validation_share: share of the training videos held out for validation.
        precision: float32, mixed_bfloat16 or mixed_float16.
        devices: number of devices that share each batch; by default one.
        steps_per_execution: steps per call of TensorFlow or JAX; more speed up small models, but
            the state is saved only between calls.
        seed: random seed for initial weights, splits, samples and dropout.
        deterministic: make TensorFlow use deterministic operations, so that runs are repeatable.
        save_seconds: seconds between saves of the training state.
        evaluate: evaluate on the test videos after training.
        tensorboard: write TensorBoard logs to OUTPUT/logs.
        profile: also write a profiler trace of a few steps to OUTPUT/logs/profile.
        logger: also log to Weights & Biases or MLflow, if installed.
        restart: discard an earlier run in `output`.
    """

    data_dir: str = "data"
    output: str = "runs/run"
    cache: str | None = None
    skip_bad: bool = False
    batch_size: int = 8
    accumulate: int | None = None
    rate: float = 3e-4
    epochs: int = 40
    patience: int | None = None
    min_delta: float = 0.0
    validation_share: float = 0.2
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    devices: int | None = None
    steps_per_execution: int = 1
    seed: int = 0
    deterministic: bool = True
    save_seconds: float = 60.0
    evaluate: bool = True
    tensorboard: bool = True
    profile: bool = False
    logger: Literal["wandb", "mlflow"] | None = None
    restart: bool = False

    def __post_init__(self) -> None:
        counts = ("batch_size", "accumulate", "patience", "devices", "steps_per_execution")
        check_least(self, 1, *counts)
        check_least(self, 0, "min_delta", "save_seconds")
        check_above_zero(self, "rate")
        if not 0 <= self.seed < 1 << 32:
            raise ValueError(f"`seed` must be from 0 to 2^32 - 1. Received: seed={self.seed}")
        if not 0 < self.validation_share < 1:
            raise ValueError(
                "`validation_share` must be between 0 and 1. "
                f"Received: validation_share={self.validation_share}"
            )


def check_least(config, least: float, *names: str) -> None:
    """Raise an error for options that are below `least`, or not finite; None is allowed."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not least <= value < math.inf:
            raise ValueError(f"`{name}` must be at least {least}. Received: {name}={value}")


def check_above_zero(config, *names: str) -> None:
    """Raise an error for options that are not finite and above 0."""
    for name in names:
        value = getattr(config, name)
        if not 0 < value < math.inf:
            raise ValueError(f"`{name}` must be above 0. Received: {name}={value}")


def refuse_changed(config, names: Sequence[str], rule: str) -> None:
    """Raise an error for options that differ from their defaults but would have no effect.

    Args:
        config: the options of a recipe.
        names: the options.
        rule: when they have an effect, such as "is for `streams` with flow".
    """
    default = {field.name: field.default for field in dataclasses.fields(config)}
    for name in names:
        if getattr(config, name) != default[name]:
            raise ValueError(f"`{name}` {rule}. Received: {name}={getattr(config, name)!r}")
