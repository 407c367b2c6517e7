"""The callbacks of a run, in the order in which they must be."""

from __future__ import annotations

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
    """The zoo's callbacks for `keras.Model.fit`, with the state in `output` put into the model.

    The last one is the `State`: its `progress` says where to go on.

    Args:
        model: a compiled model.
        output: folder of `state.npz` and `best.keras`.
        epochs: epochs in all.
        steps: steps of an epoch.
        validate: `validate(model, epoch)` returns a name -> value.
        monitor: which value of the logs chooses the best epoch and stops early; None keeps the
            last epoch.
        larger_is_better: whether a larger value is a better one.
        patience: stop after so many epochs without a better value.
        min_delta: how much better counts.
        save_seconds: save the state about that often within an epoch, too; 0 after every step,
            None only after an epoch.
        others: more callbacks, Keras's or your own; they see the values of `validate`.
        wait: measures the waiting for input.
        profile: write a profiler's trace to `output/logs/profile`.
        show_progress: a bar with the time left; give `verbose=0` to `fit` beside it.

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
    about = {"backend": keras.config.backend(), "devices": device_count(model)}
    first = machine() == 0
    state = State(output / STATE, steps=steps, save_seconds=save_seconds, about=about, write=first)
    done = state.restore(model)
    how = {"larger_is_better": larger_is_better, "min_delta": min_delta, "history": done.history}
    found: list[keras.callbacks.Callback] = [FinishEpoch(state), FiniteLoss()]
    if validate is not None:
        found.append(Evaluate(validate))
    if patience is not None:
        found.append(EarlyStopping(patience, monitor, **how))
    if first:
        found.append(BestCheckpoint(output / BEST, monitor, **how))
    found.append(Timing(wait))
    if first:
        found += others
        if profile:
            found.append(Profile(output / "logs" / "profile"))
        if show_progress:
            at = done.epoch * steps + done.step
            found.append(ProgressBar(epochs, steps, first_step=at, seconds=done.seconds))
    return [*found, state]
