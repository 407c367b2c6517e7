"""Keras's optimizers with gradient clipping that does not depend on the number of devices."""

from zoo.optimizers.adam import Adam
from zoo.optimizers.rmsprop import RMSprop
from zoo.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "RMSprop"]
