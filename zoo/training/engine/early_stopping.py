"""Early stopping that survives a resume."""

from __future__ import annotations

from zoo.training.engine.best_epoch import BestEpoch
from zoo.training.engine.choice import Choice


class EarlyStopping(BestEpoch):
    """Stops training after `patience` epochs without improvement.

    Unlike `keras.callbacks.EarlyStopping`, it takes into account the epochs that an earlier
    process of the same run trained.

    Args:
        patience: number of epochs without improvement after which training stops.
        monitor: name of the logged value to compare.
        choice: `larger_is_better`: whether larger values of `monitor` are better; `min_delta`:
            smallest change that counts as an improvement; `history`: logs of the epochs that
            earlier processes of this run trained.

    Raises:
        ValueError: if `patience` is below 1.

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
