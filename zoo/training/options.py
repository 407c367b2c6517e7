"""The options that all recipes share."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """Options of every recipe.

    Args:
        data_dir: folder of the data set; for `csv` the table; for `shards` what `zoo prepare`
            wrote.
        output: folder of the run.
        cache: folder of a frozen backbone's features; default `OUTPUT/cache`. Runs may share one.
            none computes them anew for every batch.
        skip_bad: leave out videos that cannot be read or are too short, with a warning.
        batch_size: samples in a batch, of all devices and machines together.
        accumulate: batches whose mean gradient makes one update of the weights.
        rate: highest learning rate.
        epochs: at most so many; a finished run goes on with more.
        patience: stop after so many epochs without a better validation score.
        min_delta: how much better counts.
        validation_share: share of the training videos that are held out.
        precision: float32, mixed_bfloat16 or mixed_float16.
        devices: how many devices share each batch; by default one.
        steps_per_execution: steps that TensorFlow or JAX take at a time; more make small models
            faster, but the state is saved only between them.
        seed: random seed for initial weights, splits, samples and dropout.
        deterministic: ask TensorFlow for the same sums in every run.
        save_seconds: save the state about that often.
        evaluate: test on the test videos.
        tensorboard: write OUTPUT/logs.
        profile: also write a profiler's trace of some steps there.
        logger: also report to Weights & Biases or MLflow, where it is installed.
        restart: forget an earlier run in `output`.
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
