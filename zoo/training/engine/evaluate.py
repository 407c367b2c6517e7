"""A callback that validates with any function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras


class Evaluate(keras.callbacks.Callback):
    """Adds the values that a function returns to an epoch's logs.

    It must come before all callbacks that read these values, including Keras's own.

    Args:
        validate: `validate(model, epoch)` returns a mapping from names to values.

    Example: `Evaluate(lambda model, epoch: {"val_loss": measure(model)})`
    """

    def __init__(self, validate: Callable[[keras.Model, int], Mapping[str, float]]):
        super().__init__()
        self.validate = validate

    def on_epoch_end(self, epoch, logs=None):
        logs.update({k: float(v) for k, v in self.validate(self.model, epoch).items()})
