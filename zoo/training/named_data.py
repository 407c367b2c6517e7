"""Data sets named on the command line: `ucf101`, `hmdb51:fold=2`, `ucf101+ucf11:similar=same`.

A name may be followed by options of its reader, NAME:OPTION=VALUE,OPTION=VALUE; `partial=1` takes
a part of a data set. Several names with `+` between them are trained on jointly; their folders
stand in the same order with the system's separator of paths between them (`:` on Linux).
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.datasets.joint import Joint, join
from zoo.datasets.listing.listing import show_counts
from zoo.datasets.record import Record

# Data set -> (split to learn from, split to test on) where they are not train and test.
SPLITS = {"moments": ("train", "validation"), "thumos14": ("validation", "test")}
WITHOUT_SPLITS = ("diem", "ledov", "coutrot")  # every fifth video, drawn once, is for the test


def labelled(dataset: str, data_dir: str | Path, split: str, **options) -> list[Record]:
    """Records with a label of a data set, or of several jointly."""
    parts, similar = _parts(dataset, data_dir)
    found = {name: of_split(name, root, split, **given, **options) for name, root, given in parts}
    records = found[parts[0][0]] if len(parts) == 1 else _joined(found, similar).records
    return [record for record in records if record.label is not None]


def class_names(dataset: str, data_dir: str | Path) -> tuple[str, ...]:
    """The classes of a data set, or of several jointly."""
    parts, similar = _parts(dataset, data_dir)
    if len(parts) == 1:
        return _module(parts[0][0]).CLASSES
    return _joined({name: [] for name, _, _ in parts}, similar).classes


def of_split(name: str, root: str | Path, split: str, **options) -> list[Record]:
    """Records of a data set to learn from ("train") or to test on ("test")."""
    module = _module(name)
    unknown = sorted(set(options) - set(inspect.signature(module.load).parameters))
    if unknown:
        raise ValueError(f"The reader of {name} must have the option. Received: {unknown}")
    show_counts()
    if name in WITHOUT_SPLITS:
        records = module.load(root, **options)
        test = set(np.random.default_rng(0).permutation(len(records))[: len(records) // 5].tolist())
        return [r for at, r in enumerate(records) if (at in test) == (split == "test")]
    learn, test = SPLITS.get(name, ("train", "test"))
    return module.load(root, learn if split == "train" else test, **options)


def _joined(found: dict[str, Sequence[Record]], similar: str) -> Joint:
    parts = {name: (records, _module(name).CLASSES) for name, records in found.items()}
    return join(parts, similar=similar)


def _module(name: str):
    try:
        module = importlib.import_module(f"zoo.datasets.{name}")
    except ModuleNotFoundError:
        module = None
    if not hasattr(module, "load") or not hasattr(module, "CLASSES"):
        raise ValueError(f"The data set must be one that `zoo list` names. Received: {name!r}")
    return module


def _parts(dataset: str, data_dir: str | Path) -> tuple[list[tuple[str, str, dict]], str]:
    """(name, folder, options) of every data set, and what holds for similar classes."""
    texts = dataset.split("+")
    folders = [str(data_dir)] if len(texts) == 1 else str(data_dir).split(os.pathsep)
    if len(folders) != len(texts):
        raise ValueError(
            f"Each data set must have a folder, with {os.pathsep!r} between them. Received: "
            f"dataset={dataset!r}, data_dir={str(data_dir)!r}"
        )
    parts, similar = [], "error"
    for text, folder in zip(texts, folders):
        name, options = named_options(text)
        similar = options.pop("similar", similar)
        parts.append((name, folder, options))
    return parts, similar


def named_options(text: str) -> tuple[str, dict[str, str | int]]:
    """The name of a data set and the options of its reader, of NAME:OPTION=VALUE,OPTION=VALUE."""
    name, _, given = text.partition(":")
    return name.strip(), dict(_option(part) for part in given.split(",") if part.strip())


def _option(text: str) -> tuple[str, str | int]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ValueError(f"An option must be NAME=VALUE. Received: {text!r}")
    value = value.strip()
    return name.strip(), int(value) if value.lstrip("-").isdigit() else value
