"""The common base of early stopping and the best checkpoint: it finds the best epoch of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from zoo.training.engine.choice import Choice, choose


class BestEpoch(keras.callbacks.Callback):
    """Finds the best epoch so far at the end of each epoch, over the whole run's history.

    Args:
        monitor: name of the logged value to compare; None makes every epoch the best so far.
        larger_is_better: whether larger values of `monitor` are better.
        min_delta: smallest change that counts as an improvement.
        history: logs of the epochs that earlier processes of this run trained.
    """

    def __init__(
        self,
        monitor: str | None = "val_loss",
        *,
        larger_is_better: bool = False,
        min_delta: float = 0.0,
        history: Sequence[Mapping[str, float]] = (),
    ):
        super().__init__()
        self.monitor = monitor
        self.larger_is_better = larger_is_better
        self.min_delta = min_delta
        self.history = list(history)

    def on_epoch_end(self, epoch, logs=None):
        self.history.append(dict(logs))
        self.chosen(
            choose(
                self.history,
                self.monitor,
                larger_is_better=self.larger_is_better,
                min_delta=self.min_delta,
            )
        )

    def chosen(self, choice: Choice) -> None:
        """Called after each epoch with the best epoch so far; subclasses act on it."""
        raise NotImplementedError
