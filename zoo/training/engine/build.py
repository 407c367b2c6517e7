"""Builds the callbacks of a training run in the order that they need."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras

from zoo.training.devices import device_count, machine
from zoo.training.engine.best_checkpoint import BestCheckpoint
from zoo.training.engine.early_stopping import EarlyStopping
from zoo.training.engine.evaluate import Evaluate
from zoo.training.engine.finish_epoch import FinishEpoch
from zoo.training.engine.finite_loss import FiniteLoss
from zoo.training.engine.profile import Profile
from zoo.training.engine.progress_bar import ProgressBar
from zoo.training.engine.state import State
from zoo.training.engine.timing import InputWait, Timing
from zoo.training.run import BEST, STATE


def callbacks(
    model: keras.Model,
    output: str | os.PathLike,
    *,
    epochs: int,
    steps: int,
    validate: Callable[[keras.Model, int], Mapping[str, float]] | None = None,
    monitor: str | None = None,
    larger_is_better: bool = False,
    patience: int | None = None,
    min_delta: float = 0.0,
    save_seconds: float | None = 60.0,
    others: Sequence[keras.callbacks.Callback] = (),
    wait: InputWait | None = None,
    profile: bool = False,
    show_progress: bool = True,
) -> list[keras.callbacks.Callback]:
    """Create the zoo's callbacks for `keras.Model.fit`; restore the model from a saved state.

    If `output` holds the state of an interrupted run, it is loaded into the model. The last
    callback is the `State`; its `progress` tells where training resumes.

    Args:
        model: a compiled model.
        output: folder for `state.npz` and `best.keras`.
        epochs: total number of epochs.
        steps: steps per epoch.
        validate: `validate(model, epoch)` returns a mapping from names to values, which are added
            to the epoch's logs.
        monitor: name of the logged value that selects the best epoch and drives early stopping;
            None keeps the last epoch.
        larger_is_better: whether larger values of `monitor` are better.
        patience: stop after this many epochs without improvement; None never stops early.
        min_delta: smallest change that counts as an improvement.
        save_seconds: seconds between saves of the state within an epoch; 0 saves after every
            step, None only after each epoch.
        others: further callbacks, Keras's or your own; their logs include the values of
            `validate`.
        wait: measures the time spent waiting for input.
        profile: write a profiler trace to `output/logs/profile`.
        show_progress: show a progress bar with the remaining time; pass `verbose=0` to `fit`.

    Returns:
        The callbacks, in the order in which `fit` must receive them.

    Raises:
        ValueError: if `patience` is given without `monitor`, or if the saved state belongs to a
            run with other options or another model.

    Example:

    ```python
    calls = zoo.training.callbacks(model, "runs/mine", epochs=10, steps=100, monitor="val_loss")
    done = calls[-1].progress
    model.fit(
        data(done.epoch * 100 + done.step),
        epochs=10,
        steps_per_epoch=100,
        initial_epoch=done.epoch,
        validation_data=validation,
        callbacks=calls,
        verbose=0,
    )
    ```
    """
    if patience is not None and monitor is None:
        raise ValueError(f"`patience` needs `monitor`. Received: patience={patience}, monitor=None")
    output = Path(output)
    about = {
        "backend": keras.config.backend(),
        "devices": device_count(model),
        "steps_per_execution": model.steps_per_execution,
        **_about_optimizer(model.optimizer),
    }
    first = machine() == 0
    state = State(output / STATE, steps=steps, save_seconds=save_seconds, about=about, write=first)
    done = state.restore(model)
    comparison = {
        "larger_is_better": larger_is_better,
        "min_delta": min_delta,
        "history": done.history,
    }
    found: list[keras.callbacks.Callback] = [FinishEpoch(state), FiniteLoss()]
    if validate is not None:
        found.append(Evaluate(validate))
    if patience is not None:
        found.append(EarlyStopping(patience, monitor, **comparison))
    if first:
        found.append(BestCheckpoint(output / BEST, monitor, **comparison))
    found.append(Timing(wait))
    if first:
        found += others
        if profile:
            found.append(Profile(output / "logs" / "profile"))
        if show_progress:
            trained = done.epoch * steps + done.step
            found.append(ProgressBar(epochs, steps, first_step=trained, seconds=done.seconds))
    return [*found, state]


def _about_optimizer(optimizer: keras.optimizers.Optimizer) -> dict:
    """The optimizer's class and settings. A schedule may change: it can depend on the epochs."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # without loss scaling
    found = {"optimizer": type(optimizer).__name__}
    for name, value in optimizer.get_config().items():
        if name == "learning_rate" and isinstance(value, dict):
            value = value["class_name"]
        if name != "name":
            found[f"optimizer.{name}"] = value
    return json.loads(json.dumps(found, default=str))
