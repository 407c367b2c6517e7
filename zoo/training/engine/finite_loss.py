"""A callback that ends training with an error when the loss is no longer finite."""

from __future__ import annotations

import math

import keras


class FiniteLoss(keras.callbacks.Callback):
    """Raises FloatingPointError when the loss is NaN or infinite, before the weights are saved.

    `keras.callbacks.TerminateOnNaN` only stops, as if training had finished normally.
    """

    def on_train_begin(self, logs=None):
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                "The loss must stay finite; try a smaller learning rate. "
                f"Received: loss={logs['loss']} at epoch {self._epoch + 1}, step {batch + 1}"
            )
