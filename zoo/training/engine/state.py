"""A callback that saves the complete state of a run during training."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path

import keras

from zoo.training.engine.progress import Progress
from zoo.training.engine.state_file import (
    build_optimizer,
    load_state,
    metric_variables,
    save_state,
)
from zoo.training.engine.timing import TIMINGS


class State(keras.callbacks.Callback):
    """Saves everything a training step depends on, so that a killed run can resume.

    The resumed run ends as an uninterrupted one does, bit for bit. The file holds the weights, the
    optimizer slots, the dropout seeds, the running means of the metrics and the history. It is
    replaced atomically after every epoch, and within an epoch about every `save_seconds`, at the
    end of a step (of an execution, with `steps_per_execution`). This must be the last callback.

    Args:
        path: the state file, `.npz`.
        steps: steps per epoch.
        save_seconds: seconds between saves within an epoch; 0 saves after every step, None only
            after each epoch.
        about: settings that must not change on a resume, such as the number of devices.
        write: whether to write the file. When several machines train together, only one writes.

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
        self.first_step = 0  # where this process started in the current epoch
        self._metrics = []
        self._since = self._saved = time.monotonic()

    def restore(self, model: keras.Model) -> Progress:
        """Load the saved state, if there is one, into a compiled model; return its progress.

        It also creates the optimizer's variables, which nearly halves the time before the
        first step on TensorFlow.

        Raises:
            ValueError: if the file is not a training state, or belongs to a run with other
                settings or another model.
        """
        build_optimizer(model)
        if self.path.exists():
            progress, self._metrics = load_state(self.path, model, self.about)
            self.progress = Progress(**progress)
        return self.progress

    def restore_metrics(self, model: keras.Model, *, add: bool = False) -> bool:
        """Restore the metrics' running means of the current epoch.

        Args:
            model: the model that trains.
            add: add the saved means to the present ones, for use after the first step.

        Returns:
            False if the model has not created its metrics yet. On TensorFlow this happens in the
            first step; call again with `add=True` after it.
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
        if self.progress.step < self.steps and not self.model.stop_training:
            raise ValueError(
                "The data must have at least `steps` batches for every epoch; repeat them, or "
                f"lower `steps`. Received: an epoch of {self.progress.step} instead of "
                f"{self.steps} batches"
            )
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
            # On JAX, reading `self.model` copies the training loop's weights into the model.
            progress = dataclasses.asdict(self.progress)
            save_state(self.path, self.model, progress, self.about, metrics=within)
        self._saved = time.monotonic()
