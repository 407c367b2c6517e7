"""Moved modules: importing an old name still works, with a `DeprecationWarning`."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from types import ModuleType

MOVED = {
    "zoo.datasets.check": "zoo.datasets.listing.check",
    "zoo.datasets.flow": "zoo.datasets.video.flow",
    "zoo.datasets.prepare": "zoo.datasets.shards.prepare",
    "zoo.datasets.sampling": "zoo.datasets.samples.sampling",
    "zoo.datasets.transforms": "zoo.datasets.samples.transforms",
    "zoo.datasets.truth": "zoo.datasets.gaze.truth",
    "zoo.datasets.video_writer": "zoo.datasets.video.writer",
    "zoo.inference.clip_maps": "zoo.inference.streaming.clip_maps",
    "zoo.inference.corrected_glimpse": "zoo.inference.actions.corrected_glimpse",
    "zoo.inference.maps": "zoo.inference.writing.maps",
    "zoo.inference.stream": "zoo.inference.streaming.stream",
    "zoo.training.action_options": "zoo.training.actions.options",
    "zoo.training.action_predictions": "zoo.training.actions.predictions",
    "zoo.training.action_scores": "zoo.training.actions.scores",
    "zoo.weights.load": "zoo.backbones.loading",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the new module for each old name in `MOVED`."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname in MOVED:
            return importlib.machinery.ModuleSpec(fullname, self)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        new = MOVED[spec.name]
        warnings.warn(f"`{spec.name}` is now `{new}`.", DeprecationWarning, stacklevel=3)
        module = ModuleType(spec.name)
        found = importlib.import_module(new)
        module.__dict__.update({k: v for k, v in vars(found).items() if not k.startswith("__")})
        module.__doc__ = found.__doc__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: `create_module` has already filled the module."""


def install() -> None:
    """Make the old names importable; called once, by `zoo`."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
