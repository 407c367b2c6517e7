"""A callback that ends training with an error when what it reports cannot be used."""

from __future__ import annotations

import math

import keras
import numpy as np


class FiniteLoss(keras.callbacks.Callback):
    """Raises FloatingPointError when the loss is NaN or infinite, before the weights are saved.

    `keras.callbacks.TerminateOnNaN` only stops, as if training had finished normally. A metric that
    is not a single number is a ValueError after the first step, not at the end of the first epoch.
    """

    def on_train_begin(self, logs=None):
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if several := [k for k, v in logs.items() if np.size(v) != 1]:
            raise ValueError(
                "Each metric must return one number; make one metric of each value. "
                f"Received: {several[0]!r} with values of shape {np.shape(logs[several[0]])}"
            )
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                "The loss must stay finite; try a smaller learning rate. "
                f"Received: loss={logs['loss']} at epoch {self._epoch + 1}, step {batch + 1}"
            )
