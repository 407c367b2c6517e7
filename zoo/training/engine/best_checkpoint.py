"""A callback that saves the model of the best epoch."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.files.atomic import atomic_path
from zoo.training.engine.best_epoch import BestEpoch
from zoo.training.engine.choice import Choice


class BestCheckpoint(BestEpoch):
    """Saves the model of the best epoch to a `.keras` file, which is replaced atomically.

    Args:
        path: the `.keras` file.
        monitor: name of the logged value to compare; None saves every epoch, so that the last
            one remains.
        choice: `larger_is_better`, `min_delta` and `history`, as `EarlyStopping` takes them.

    Example: `BestCheckpoint("best.keras", "val_accuracy", larger_is_better=True)`
    """

    def __init__(self, path: str | os.PathLike, monitor: str | None = "val_loss", **choice):
        super().__init__(monitor, **choice)
        self.path = Path(path)

    def chosen(self, choice: Choice) -> None:
        """Save the model where this epoch is the best."""
        if choice.waited == 0:
            with atomic_path(self.path) as part:
                self.model.save(part)
