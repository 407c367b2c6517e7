"""Early stopping that a resume does not reset."""

from __future__ import annotations

from zoo.training.engine.best_epoch import BestEpoch
from zoo.training.engine.choice import Choice


class EarlyStopping(BestEpoch):
    """Stops the training when no epoch was the best one for some time.

    Unlike `keras.callbacks.EarlyStopping` it starts from the history of the epochs that an earlier
    process trained.

    Args:
        patience: epochs without a better value after which it stops.
        monitor: name of the value.
        choice: `larger_is_better`: whether a larger value is a better one; `min_delta`: how much
            better counts; `history`: logs of the epochs before this process.

    Example: `EarlyStopping(6, "val_accuracy", larger_is_better=True)`
    """

    def __init__(self, patience: int, monitor: str = "val_loss", **choice):
        super().__init__(monitor, **choice)
        if patience < 1:
            raise ValueError(f"`patience` must be at least 1. Received: patience={patience}")
        self.patience = patience

    def chosen(self, choice: Choice) -> None:
        """Stop where the best epoch is too long ago."""
        if choice.waited >= self.patience:
            self.model.stop_training = True
