"""The whole state of a run, saved while it trains."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path

import keras

from zoo.training.engine.progress import Progress
from zoo.training.engine.state_file import load_state, metric_variables, save_state
from zoo.training.engine.timing import TIMINGS


class State(keras.callbacks.Callback):
    """Saves all that a step depends on, so that a killed run ends as an unbroken one, bit for bit.

    Saved are weights, optimizer slots, the seeds of dropout, running means and the history, in one
    file that is replaced as a whole: after every epoch, and within an epoch about every
    `save_seconds` at the end of a step (with `steps_per_execution`, of an execution). It must be
    the last callback.

    Args:
        path: the file.
        steps: steps of an epoch.
        save_seconds: how often the state is saved within an epoch; 0 saves after every step, None
            only after an epoch.
        about: what a resume must have in common with the run: the number of devices and others.
        write: False only reads; of several machines that train together one writes.

    Example:

    ```python
    state = State("run/state.npz", steps=100)
    progress = state.restore(model)
    model.fit(
        data(progress.epoch * 100 + progress.step),
        steps_per_epoch=100,
        initial_epoch=progress.epoch,
        epochs=40,
        callbacks=[FinishEpoch(state), state],
    )
    ```
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        steps: int,
        save_seconds: float | None = 60.0,
        about: Mapping | None = None,
        write: bool = True,
    ):
        super().__init__()
        self.path = Path(path)
        self.steps = steps
        self.save_seconds = save_seconds
        self.about = {"steps of an epoch": steps, **(about or {})}
        self.write = write
        self.progress = Progress()
        self.first_step = 0  # of this process in the epoch under way
        self._metrics = []
        self._since = self._saved = time.monotonic()

    def restore(self, model: keras.Model) -> Progress:
        """Put the saved state, where there is one, into a compiled model; return how far it is."""
        if self.path.exists():
            progress, self._metrics = load_state(self.path, model, self.about)
            self.progress = Progress(**progress)
        return self.progress

    def restore_metrics(self, model: keras.Model, *, add: bool = False) -> bool:
        """Let the running means of the epoch under way go on where they were.

        Returns False where the model has not made them yet: TensorFlow does so in the first step.
        After that step what was saved is added.
        """
        variables = metric_variables(model)
        if len(variables) != len(self._metrics):
            return False
        for variable, value in zip(variables, self._metrics):
            variable.assign(value + keras.ops.convert_to_numpy(variable) if add else value)
        return True

    def on_train_begin(self, logs=None):
        self._since = self._saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.first_step = self.progress.step

    def on_train_batch_end(self, batch, logs=None):
        self.progress.step = self.first_step + batch + 1
        if self.save_seconds is None or self.progress.step >= self.steps:
            return
        if time.monotonic() - self._saved >= self.save_seconds:
            self._save(within=True)

    def on_epoch_end(self, epoch, logs=None):
        kept = {k: float(v) for k, v in logs.items() if k not in TIMINGS}
        self.progress.history.append(kept)
        self.progress.epoch, self.progress.step = epoch + 1, 0
        self.progress.stopped = bool(self.model.stop_training)
        self._save(within=False)

    def _save(self, within: bool) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self._since
        self._since = now
        if self.write:
            # `self.model` copies the weights of a JAX training loop back into the model.
            progress = dataclasses.asdict(self.progress)
            save_state(self.path, self.model, progress, self.about, metrics=within)
        self._saved = time.monotonic()
