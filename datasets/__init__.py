"""Data sets, each a module: `zoo.datasets.<name>.load(root, split=...)` returns records.

Submodules are imported when they are first used, so that nothing heavy is imported here.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

_SUBMODULES = frozenset(module.name for module in pkgutil.iter_modules(__path__))


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUBMODULES})
