"""The zoo's models: lowercase builders that return a `keras.Model`."""

from zoo.models.loading import load
from zoo.models.lsts import lsts, lsts_features
from zoo.models.rmdn import rmdn

__all__ = ["load", "lsts", "lsts_features", "rmdn"]
