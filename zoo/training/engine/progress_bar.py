"""A progress bar with steps, loss and remaining time, and one line per epoch."""

from __future__ import annotations

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.files.printable import one_line
from zoo.training.engine.timing import TIMINGS

REDRAW = 0.2  # seconds


class ProgressBar(keras.callbacks.Callback):
    """Shows the progress of a whole run. Pass `verbose=0` to `model.fit` when you use it.

    Args:
        epochs: total number of epochs.
        steps: steps per epoch.
        first_step: number of steps that earlier processes of the run trained.
        seconds: training time of those earlier processes, in seconds.

    Example: `model.fit(data, epochs=10, callbacks=[ProgressBar(10, steps=100)], verbose=0)`
    """

    def __init__(self, epochs: int, steps: int, *, first_step: int = 0, seconds: float = 0.0):
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self.first_step, self.seconds = first_step, seconds
        self._console = Console(highlight=False)
        self._bar = None

    def on_train_begin(self, logs=None):
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4g}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task(
            "training", total=self.epochs * self.steps, completed=self.first_step, loss=float("nan")
        )
        self._began = self._drawn = time.monotonic()
        self._epoch_step = self.first_step % self.steps
        self._bar.start()

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if now - self._drawn >= REDRAW:
            self._drawn = now
            done = self._done + self._epoch_step + batch + 1
            self._bar.update(self._task, completed=done, loss=logs["loss"])

    def on_epoch_begin(self, epoch, logs=None):
        self._done = epoch * self.steps

    def on_epoch_end(self, epoch, logs=None):
        self._epoch_step = 0
        self._bar.update(self._task, completed=(epoch + 1) * self.steps)
        seconds = self.seconds + time.monotonic() - self._began
        left = seconds / (epoch + 1) * (self.epochs - epoch - 1)
        shown = "  ".join(f"{k} {v:.4g}" for k, v in logs.items() if k not in TIMINGS)
        line = f"epoch {epoch + 1}/{self.epochs}  {shown}  ({_clock(left)} left)"
        self._console.print(one_line(line), soft_wrap=True, markup=False)

    def on_train_end(self, logs=None):
        self.stop()

    def stop(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
