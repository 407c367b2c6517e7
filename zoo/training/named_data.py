"""From a data set's name to its records, for all recipes and commands.

A name may be followed by options of its reader, NAME:OPTION=VALUE,OPTION=VALUE; `partial=1` takes
a part of a data set. Several names with `+` between them are trained on jointly; their folders
stand in the same order with the system's separator of paths between them (`:` on Linux). Besides
the data sets of `zoo.datasets` there are `csv`, a table of your own, and `shards`, what
`zoo prepare` wrote.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from zoo.datasets.joint import Joint, join
from zoo.datasets.listing.check_gaze import log_gaze_check
from zoo.datasets.listing.listing import show_counts
from zoo.datasets.record import Record

Kind = Literal["gaze", "label", "any"]
LEARNED = ("train", "validation")  # a part of it is held out by `hold_out`
# Data set -> (splits to learn from, split to test on) where they are not train and test.
SPLITS = {
    "moving_targets": (LEARNED, "test"),
    "csv": (LEARNED, "test"),
    "shards": (LEARNED, "test"),  # those of the data set that they were made of, where it is here
    "dhf1k": (("train",), "validation"),  # the annotation of its test split is not published
    "moments": (("train",), "validation"),
    "thumos14": (("validation",), "test"),
}
WITHOUT_SPLITS = ("diem", "ledov", "coutrot")  # every fifth video, drawn once, is for the test


def load_records(
    dataset: str, data_dir: str | Path, split: str, kind: Kind = "gaze", **options
) -> list[Record]:
    """Records to learn from ("train") or to test on ("test").

    Args:
        dataset: name, or names.
        data_dir: its folder; for `csv` the table, in which rows without a split are for training.
        split: "train" or "test".
        kind: which records: those with gaze, with a label, or with either.
        options: of the data set's reader.
    """
    if split not in ("train", "test"):
        raise ValueError(f'`split` must be "train" or "test". Received: split={split!r}')
    parts, similar = _parts(dataset, data_dir)
    found = {name: _of_split(name, root, split, **given, **options) for name, root, given in parts}
    records = found[parts[0][0]] if len(parts) == 1 else _joined(found, similar).records
    wanted = {"gaze": ("gaze",), "label": ("label",), "any": ("gaze", "label")}[kind]
    kept = [r for r in records if any(getattr(r, name) is not None for name in wanted)]
    show_counts()
    log_gaze_check([record for record in kept if record.gaze is not None])
    return kept


def class_names(dataset: str, data_dir: str | Path) -> tuple[str, ...]:
    """The classes of a data set, or of several jointly."""
    parts, similar = _parts(dataset, data_dir)
    if len(parts) > 1:
        return _joined({name: [] for name, _, _ in parts}, similar).classes
    name, root, _ = parts[0]
    if name == "csv":
        from zoo.datasets import your_own

        return tuple(your_own.class_names(root))
    if name == "shards":
        from zoo.datasets.shards.reading import open_shards

        return tuple(open_shards(root).manifest["classes"])
    return tuple(_module(name).CLASSES)


def mixed_records(
    parts: Sequence[tuple[str, str]], split: str
) -> tuple[list[Record], tuple[str, ...]]:
    """Records with gaze or a label of several (name, folder), and the names of their classes.

    Data sets without labels mix with any; those with labels must have the same classes.
    """
    found, classes, first = [], None, None
    for name, folder in parts:
        records = load_records(name, folder, split, "any")
        found += records
        if not any(r.label is not None for r in records):
            continue
        names = class_names(name, folder)
        if classes is not None and names != classes:
            only = sorted(set(names) ^ set(classes))
            raise ValueError(
                "Data sets that are mixed must have the same classes in the same order. "
                f"Received: {first} with {len(classes)} and {name} with {len(names)} classes; "
                f"in one of them only: {only[:8]}"
            )
        classes, first = names, name
    return found, classes or ()


def hold_out(
    records: Sequence[Record], share: float = 0.2, seed: int = 0
) -> tuple[list[Record], list[Record]]:
    """Split videos into (training, validation), drawn by the seed; each gets at least one.

    Records of one video, such as parts of a film, stay together.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"`share` must be between 0 and 1. Received: share={share}")
    videos = list(dict.fromkeys(record.video for record in records))
    if len(videos) < 2:
        raise ValueError(
            "Holding out needs at least 2 videos. "
            f"Received: {len(videos)} videos, {[record.name for record in records]}"
        )
    count = min(max(1, round(share * len(videos))), len(videos) - 1)
    drawn = np.random.default_rng(seed).permutation(len(videos))[:count]
    held = {videos[number] for number in drawn}
    return (
        [record for record in records if record.video not in held],
        [record for record in records if record.video in held],
    )


def _of_split(name: str, root: str, split: str, **options) -> list[Record]:
    learned, test = SPLITS.get(name, (("train",), "test"))
    if name == "csv":
        from zoo.datasets import your_own

        held = your_own.load(root, **options)
    elif name == "shards":
        from zoo.datasets.shards import reading

        held = reading.load(root, **options)
        made_of = reading.open_shards(root).manifest["dataset"]
        learned, test = SPLITS.get(made_of, SPLITS["shards"])
    else:
        module = _module(name)
        unknown = sorted(set(options) - set(inspect.signature(module.load).parameters))
        if unknown:
            raise ValueError(f"The reader of {name} must have the option. Received: {unknown}")
        show_counts()
        if name in WITHOUT_SPLITS:
            held = module.load(root, **options)
            drawn = np.random.default_rng(0).permutation(len(held))[: len(held) // 5]
            tested = set(drawn.tolist())
            return [r for at, r in enumerate(held) if (at in tested) == (split == "test")]
        splits = learned if split == "train" else (test,)
        return [record for part in splits for record in module.load(root, part, **options)]
    splits = learned if split == "train" else (test,)
    return [record for record in held if (record.split or "train") in splits]


def _joined(found: dict[str, Sequence[Record]], similar: str) -> Joint:
    parts = {name: (records, _module(name).CLASSES) for name, records in found.items()}
    return join(parts, similar=similar)


def _module(name: str):
    try:
        module = importlib.import_module(f"zoo.datasets.{name}")
    except ModuleNotFoundError:
        module = None
    if not hasattr(module, "load") or not hasattr(module, "CLASSES"):
        raise ValueError(
            "The data set must be one that `zoo list` names, csv, or shards. "
            f"Received: dataset={name!r}"
        )
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
