"""The zoo's models: lowercase builders that return a `keras.Model`."""

from zoo.models.loading import load
from zoo.models.rmdn import rmdn

__all__ = ["load", "rmdn"]
