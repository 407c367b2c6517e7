"""Data sets, one module for each: `zoo.datasets.<name>.load(root, split=...)` returns records.

`zoo.datasets.stream(zoo.datasets.Samples(...), batch_size)` turns records into training batches.

Submodules are imported on first use, so importing this package is cheap.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

_SUBMODULES = frozenset(module.name for module in pkgutil.iter_modules(__path__))
_SAMPLES = ("Action", "Boxes", "Features", "Flow", "Frames", "Mixture", "Saliency", "Samples")
_CHANGES = ("Colour", "Crop", "HorizontalFlip", "MultiScaleCrop", "VerticalFlip")
_NAMES = {
    **dict.fromkeys((*_SAMPLES, "stream", "validation"), "samples"),
    **dict.fromkeys(("Segments", "Windows"), "samples.sampling"),
    **dict.fromkeys(_CHANGES, "samples.transforms"),
    **dict.fromkeys(("sampling", "transforms"), "samples"),
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES, *_NAMES})
