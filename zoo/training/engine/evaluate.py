"""Validation by any function, as a callback."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras


class Evaluate(keras.callbacks.Callback):
    """Adds the values of a function to an epoch's logs.

    It must come before the callbacks that read them, Keras's own included.

    Args:
        validate: `validate(model, epoch)` returns a name -> value.

    Example: `Evaluate(lambda model, epoch: {"val_loss": measure(model)})`
    """

    def __init__(self, validate: Callable[[keras.Model, int], Mapping[str, float]]):
        super().__init__()
        self.validate = validate

    def on_epoch_end(self, epoch, logs=None):
        logs.update({k: float(v) for k, v in self.validate(self.model, epoch).items()})
