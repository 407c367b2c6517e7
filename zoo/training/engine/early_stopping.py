"""Early stopping that a resume does not reset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from zoo.training.engine.choice import choose


class EarlyStopping(keras.callbacks.Callback):
    """Stops the training when no epoch was the best one for some time.

    Unlike `keras.callbacks.EarlyStopping` it starts from the history of the epochs that an earlier
    process trained.

    Args:
        patience: epochs without a better value after which it stops.
        monitor: name of the value.
        larger_is_better: whether a larger value is a better one.
        min_delta: how much better counts.
        history: logs of the epochs before this process.

    Example: `EarlyStopping(6, "val_accuracy", larger_is_better=True)`
    """

    def __init__(
        self,
        patience: int,
        monitor: str = "val_loss",
        *,
        larger_is_better: bool = False,
        min_delta: float = 0.0,
        history: Sequence[Mapping[str, float]] = (),
    ):
        super().__init__()
        if patience < 1:
            raise ValueError(f"`patience` must be at least 1. Received: patience={patience}")
        self.patience = patience
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
        if chosen.waited >= self.patience:
            self.model.stop_training = True
