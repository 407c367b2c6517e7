"""The best epoch's model on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from zoo.files.atomic import atomic_path
from zoo.training.engine.choice import choose


class BestCheckpoint(keras.callbacks.Callback):
    """Keeps the model of the best epoch in a `.keras` file, which is replaced as a whole.

    Args:
        path: the file.
        monitor: name of the value that is compared; None keeps the last epoch.
        larger_is_better: whether a larger value is a better one.
        min_delta: how much better counts.
        history: logs of the epochs before this process.

    Example: `BestCheckpoint("best.keras", "val_accuracy", larger_is_better=True)`
    """

    def __init__(
        self,
        path: str | os.PathLike,
        monitor: str | None = "val_loss",
        *,
        larger_is_better: bool = False,
        min_delta: float = 0.0,
        history: Sequence[Mapping[str, float]] = (),
    ):
        super().__init__()
        self.path = Path(path)
        self.monitor = monitor
        self.larger_is_better = larger_is_better
        self.min_delta = min_delta
        self.history = list(history)

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(dict(logs))
        chosen = choose(
            self.history,
            self.monitor,
            larger_is_better=self.larger_is_better,
            min_delta=self.min_delta,
        )
        if chosen.waited == 0:
            with atomic_path(self.path) as part:
                self.model.save(part)
