"""Gaze: where people looked, read from the files of eye trackers and data sets."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.datasets.gaze.csv_format import CsvFormat
    from zoo.datasets.gaze.fixations import Fixations
    from zoo.datasets.gaze.presets import PRESETS, gaze_format
    from zoo.datasets.gaze.reading import GazeWarning, read_fixations
    from zoo.datasets.record import GazeSource

__all__ = [
    "PRESETS",
    "CsvFormat",
    "Fixations",
    "GazeSource",
    "GazeWarning",
    "gaze_format",
    "read_fixations",
]

# Imported on first use, to avoid a circular import: `record` imports modules of this folder, and
# some of these names need `record`.
_DEFINED_IN = {
    "CsvFormat": "zoo.datasets.gaze.csv_format",
    "Fixations": "zoo.datasets.gaze.fixations",
    "GazeSource": "zoo.datasets.record",
    "GazeWarning": "zoo.datasets.gaze.reading",
    "PRESETS": "zoo.datasets.gaze.presets",
    "gaze_format": "zoo.datasets.gaze.presets",
    "read_fixations": "zoo.datasets.gaze.reading",
}


def __getattr__(name: str) -> Any:
    if name in _DEFINED_IN:
        return getattr(importlib.import_module(_DEFINED_IN[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
