"""What early stopping and the best checkpoint have in common: the best epoch of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from zoo.training.engine.choice import Choice, choose


class BestEpoch(keras.callbacks.Callback):
    """Chooses the best epoch after each, from the history of the whole run.

    Args:
        monitor: name of the value that is compared; None makes every epoch the best so far.
        larger_is_better: whether a larger value is a better one.
        min_delta: how much better counts.
        history: logs of the epochs before this process.
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
        """What follows from the choice after an epoch."""
        raise NotImplementedError
