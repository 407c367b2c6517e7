"""`keras.Model.fit` with the zoo's callbacks: training that can be killed and resumed at any time.

Everything a step depends on (weights, optimizer, dropout seeds) is kept in one state file that is
replaced atomically, and the data of a step depends on the step's number alone. A run that was
killed and restarted therefore ends with the same weights, bit for bit, as an uninterrupted one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from zoo.files.atomic import write_text
from zoo.training.devices import device_count, machine, machines
from zoo.training.engine.build import callbacks as build_callbacks
from zoo.training.engine.choice import choose
from zoo.training.engine.progress import Progress
from zoo.training.engine.progress_bar import ProgressBar
from zoo.training.engine.timing import InputWait
from zoo.training.run import HISTORY, run_lock


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
    """Train a compiled model; resume if `output` holds the state of an interrupted run.

    Args:
        model: a compiled model.
        data: `data(step)` returns an endless sequence of batches starting at that step of the
            run: a `tf.data.Dataset` such as `zoo.datasets.stream` returns, or any other input of
            `keras.Model.fit`. A batch must depend on its step number only.
        output: folder for `state.npz` (all that a resume needs), `best.keras` and `history.json`.
        epochs: maximum number of epochs; a larger number extends a finished run.
        steps: steps per epoch; the model is validated and saved after each epoch.
        validate: `validate(model, epoch)` returns a mapping from names to values, which are
            logged; it must contain `monitor`.
        monitor: name of the logged value that selects the best epoch; default `val_loss` with
            `validate`, otherwise the last epoch counts as the best.
        larger_is_better: whether larger values of `monitor` are better.
        patience: stop after this many epochs without improvement; None never stops early.
        min_delta: smallest change that counts as an improvement.
        save_seconds: seconds between saves of the state within an epoch; 0 saves after every
            step.
        callbacks: further Keras callbacks; their logs include the values of `validate`.
        profile: write a profiler trace to `output/logs/profile`.
        show_progress: show a progress bar with the remaining time, and print one line per epoch.

    Returns:
        The run's progress, with the logs of its epochs.

    Raises:
        ValueError: if a batch cannot be divided among the devices, or if the saved state is
            damaged or was written with other options, another backend or another number of
            devices. The state file is left unchanged.
        FloatingPointError: if the loss is no longer finite.
        BlockingIOError: if another command trains into the folder.

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
            "`steps` must be a multiple of the `steps_per_execution` the model is compiled with. "
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
    with run_lock([output]):
        calls = build_callbacks(model, output, wait=wait, **options)
        progress = calls[-1].progress
        if progress.epoch < epochs and not progress.stopped:
            _train(model, data, progress, calls, wait, epochs, steps)
        chosen = choose(
            progress.history, monitor, larger_is_better=larger_is_better, min_delta=min_delta
        )
        progress.best_epoch = chosen.epoch
        if machine() == 0:
            write_text(Path(output) / HISTORY, json.dumps(progress.history, indent=1))
    return progress


def _train(model, data, progress, calls, wait, epochs, steps) -> None:
    batches = data(progress.epoch * steps + progress.step)
    _check_batch(batches, device_count(model))
    try:
        model.fit(
            batches if wait is None else wait.measured(batches),
            epochs=epochs,
            steps_per_epoch=steps,
            initial_epoch=progress.epoch,
            callbacks=calls,
            shuffle=False,
            verbose=0,
        )
    finally:
        for call in calls:  # Keras does not end its callbacks after an error or Ctrl-C
            if isinstance(call, ProgressBar):
                call.stop()


def _measurable(model: keras.Model) -> bool:
    """Whether `fit` takes its batches directly from `tf.data`, so that waiting can be timed."""
    return keras.config.backend() == "tensorflow" and device_count(model) == 1


def _check_batch(batches, devices: int) -> None:
    spec = getattr(batches, "element_spec", None)
    if spec is None or devices == 1:
        return
    size = keras.tree.flatten(spec)[0].shape[0]
    share = devices // machines()
    if size is not None and size % share:
        raise ValueError(
            "The batch size must be divisible by the number of devices. "
            f"Received: a batch of {size} for {share} devices"
        )
