"""Training that survives a kill at any moment: `keras.Model.fit` with the zoo's callbacks.

Everything that a step depends on - weights, optimizer, dropout seeds - lies in one state file that
is replaced as a whole, and the data of a step is a function of its number alone. So a run that was
killed and started again ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.files.atomic import atomic_path
from zoo.training.devices import device_count, machine, machines
from zoo.training.engine.build import callbacks as build_callbacks
from zoo.training.engine.choice import choose
from zoo.training.engine.progress import Progress
from zoo.training.engine.timing import InputWait
from zoo.training.run import HISTORY


def fit(
    model: keras.Model,
    data: Callable[[int], Any],
    *,
    output: str | os.PathLike,
    epochs: int,
    steps: int,
    validate: Callable[[keras.Model, int], Mapping[str, float]] | None = None,
    monitor: str | None = None,
    larger_is_better: bool = False,
    patience: int | None = None,
    min_delta: float = 0.0,
    save_seconds: float | None = 60.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    profile: bool = False,
    show_progress: bool = True,
) -> Progress:
    """Train a compiled model, going on from the state in `output` where there is one.

    Args:
        model: a compiled model.
        data: `data(step)` gives the batches from that step of the run on, without end: a
            `tf.data.Dataset`, as `zoo.datasets.stream` makes it, or what else `fit` takes. A batch
            may depend on its number only.
        output: folder of `state.npz` (everything needed to go on), `best.keras`, `history.json`.
        epochs: how many epochs at most; more than before lets a finished run go on.
        steps: steps of an epoch; after each the model is validated and saved.
        validate: `validate(model, epoch)` returns values to log, the monitored one among them.
        monitor: which value chooses the best epoch; default `val_loss` with `validate`, else the
            last epoch is the best.
        larger_is_better: whether the monitored value grows as the model gets better.
        patience: stop after so many epochs without a better value by `min_delta`.
        min_delta: how much better counts.
        save_seconds: save the state about that often within an epoch; 0 saves at every step.
        callbacks: Keras callbacks; they see what `validate` returned.
        profile: write a profiler's trace to `output/logs/profile`.
        show_progress: print a bar with the time left, and a line an epoch.

    Returns:
        The run's progress, with the history of its epochs.

    Raises:
        ValueError: a batch that the devices cannot share, or a state that was written with other
            options, on another backend or another number of devices, or is damaged. The state is
            left as it is.
        FloatingPointError: the loss is not finite any more.

    Example:

    ```python
    model.compile("adam", {"mixture": zoo.losses.MixtureNLL()})
    zoo.training.fit(model, data, output="runs/mine", epochs=10, steps=100)
    ```
    """
    if epochs < 1 or steps < 1:
        raise ValueError(
            f"`epochs` and `steps` must be at least 1. Received: epochs={epochs}, steps={steps}"
        )
    if steps % model.steps_per_execution:
        raise ValueError(
            "`steps` must be a multiple of the model's `steps_per_execution`. "
            f"Received: steps={steps}, steps_per_execution={model.steps_per_execution}"
        )
    if validate is not None and monitor is None:
        monitor = "val_loss"
    options = {
        "epochs": epochs,
        "steps": steps,
        "validate": validate,
        "monitor": monitor,
        "larger_is_better": larger_is_better,
        "patience": patience,
        "min_delta": min_delta,
        "save_seconds": save_seconds,
        "others": callbacks,
        "profile": profile,
        "show_progress": show_progress,
    }
    wait = InputWait() if _measurable(model) else None
    calls = build_callbacks(model, output, wait=wait, **options)
    progress = calls[-1].progress
    if progress.epoch < epochs and not progress.stopped:
        _train(model, data, progress, calls, wait, epochs, steps)
    chosen = choose(
        progress.history, monitor, larger_is_better=larger_is_better, min_delta=min_delta
    )
    progress.best_epoch = chosen.epoch
    if machine() == 0:
        with atomic_path(Path(output) / HISTORY) as part:
            part.write_text(json.dumps(progress.history, indent=1))
    return progress


def _train(model, data, progress, calls, wait, epochs, steps) -> None:
    batches = data(progress.epoch * steps + progress.step)
    _check_batch(batches, device_count(model))
    model.fit(
        batches if wait is None else wait.measured(batches),
        epochs=epochs,
        steps_per_epoch=steps,
        initial_epoch=progress.epoch,
        callbacks=calls,
        shuffle=False,
        verbose=0,
    )


def _measurable(model: keras.Model) -> bool:
    """Whether the batches go straight from `tf.data` to the model."""
    return keras.config.backend() == "tensorflow" and device_count(model) == 1


def _check_batch(batches, devices: int) -> None:
    spec = getattr(batches, "element_spec", None)
    if spec is None or devices == 1:
        return
    size = keras.tree.flatten(spec)[0].shape[0]
    share = devices // machines()
    if size is not None and size % share:
        raise ValueError(
            "The batch must be divisible by the number of devices. "
            f"Received: a batch of {size} for {share} devices"
        )
