"""Published weights: records of the files, readers of their formats, and strict name maps."""

from __future__ import annotations

import importlib
from typing import Any

from zoo.weights.cache import cache_folder, fetch
from zoo.weights.errors import WeightsError
from zoo.weights.origins import ORIGINS
from zoo.weights.provenance import read_provenance
from zoo.weights.reader import read_weights
from zoo.weights.record import Record
from zoo.weights.records import RECORDS

# Functions of `zoo.backbones`, a package above this one, under the names that users know. They
# are imported on first use.
_OF_BACKBONES = {
    "convert": "zoo.backbones.convert",
    "graph_options": "zoo.backbones.loading",
    "load_weights": "zoo.backbones.loading",
    "pretrained": "zoo.backbones.loading",
}

__all__ = [
    "ORIGINS",
    "RECORDS",
    "Record",
    "WeightsError",
    "cache_folder",
    "fetch",
    "read_provenance",
    "read_weights",
    *_OF_BACKBONES,
]


def __getattr__(name: str) -> Any:
    if name in _OF_BACKBONES:
        return getattr(importlib.import_module(_OF_BACKBONES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
