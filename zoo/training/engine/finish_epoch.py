"""A callback that completes an epoch begun by an earlier process."""

from __future__ import annotations

import keras

from zoo.training.engine.state import State


class FinishEpoch(keras.callbacks.Callback):
    """Shortens the first epoch after a resume to its remaining steps.

    The running means of the metrics continue from their saved values, so the epoch's logs are
    those of an uninterrupted run. This must be the first callback, and `State` the last.

    Args:
        state: the run's `State`, already restored with `State.restore`.

    Example: `model.fit(data, callbacks=[FinishEpoch(state), state])`
    """

    def __init__(self, state: State):
        super().__init__()
        self.state = state
        self._short = False
        self._restored = True

    def on_epoch_begin(self, epoch, logs=None):
        self._short = self.state.progress.step > 0
        self._restored = not self._short or self.state.restore_metrics(self.model)

    def on_train_batch_end(self, batch, logs=None):
        if not self._restored:
            self._restored = self.state.restore_metrics(self.model, add=True)
        # `_model`, because on JAX reading `model` first copies all weights.
        if self._short and self.state.first_step + batch + 1 >= self.state.steps:
            self._model.stop_training = True  # ends the loop over the epoch's steps

    def on_epoch_end(self, epoch, logs=None):
        if self._short:
            self.model.stop_training = False
            self._short = False
