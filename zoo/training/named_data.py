"""Loads records by a data set's name, for all recipes and commands.

A name may be followed by options of its reader, NAME:OPTION=VALUE,OPTION=VALUE; `partial=1`
accepts an incomplete copy of a data set. Names joined with `+` are trained on jointly; their
folders are given in the same order, joined with the system's path separator (`:` on Linux).
Besides the data sets of `zoo.datasets` there are `csv`, a table of your own videos, and `shards`,
the output of `zoo prepare`.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from zoo.datasets.joint import Joint, join
from zoo.datasets.listing.check_gaze import log_gaze_check
from zoo.datasets.listing.listing import LOG, DatasetWarning, show_counts
from zoo.datasets.record import Record
from zoo.datasets.shards.reading import is_shard_video, shard_video

Kind = Literal["gaze", "label", "any"]
TRAINING_SPLITS = ("train", "validation")  # `hold_out` draws the validation videos from both
# Data set -> (training splits, test split), if these are not "train" and "test".
SPLITS = {
    "moving_targets": (TRAINING_SPLITS, "test"),
    "csv": (TRAINING_SPLITS, "test"),
    "shards": (TRAINING_SPLITS, "test"),  # unless this table lists the data set in the shards
    "dhf1k": (("train",), "validation"),  # the annotation of its test split is not published
    "moments": (("train",), "validation"),
    "thumos14": (("validation",), "test"),
}
WITHOUT_SPLITS = ("diem", "ledov", "coutrot")  # a fixed random fifth of the videos is for testing


def load_records(
    dataset: str, data_dir: str | Path, split: str, kind: Kind = "gaze", **options
) -> list[Record]:
    """Load a data set's records for training or testing.

    Args:
        dataset: name of a data set, or several names joined with `+`.
        data_dir: its folder; for `csv` the table, in which rows without a split are for training.
        split: "train" or "test".
        kind: which records to keep: those with gaze, with a label, or with either ("any").
        options: options of the data set's reader.

    Raises:
        ValueError: if the data set, the split or an option is unknown.

    Example: `load_records("dhf1k", "data/DHF1K", "train")`
    """
    if split not in ("train", "test"):
        raise ValueError(f'`split` must be "train" or "test". Received: split={split!r}')
    parts, similar = _parts(dataset, data_dir)
    show_counts()
    found = {name: _of_split(name, root, split, **given, **options) for name, root, given in parts}
    records = found[parts[0][0]] if len(parts) == 1 else _joined(found, similar).records
    wanted = {"gaze": ("gaze",), "label": ("label",), "any": ("gaze", "label")}[kind]
    kept = [r for r in records if any(getattr(r, name) is not None for name in wanted)]
    if left_out := len(records) - len(kept):
        what = " or ".join(wanted)
        LOG.info("%d of %d videos (%s) have no %s: left out", left_out, len(records), split, what)
    log_gaze_check([record for record in kept if record.gaze is not None])
    return kept


def class_names(dataset: str, data_dir: str | Path) -> tuple[str, ...]:
    """The class names of a data set, or of several data sets that are trained on jointly."""
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
    """Load several data sets with gaze or labels; return their records and class names.

    Data sets without labels can be mixed with any other; those with labels must have the same
    classes. Names of records of several data sets begin with that of the data set, because two
    data sets may have videos of the same name.

    Args:
        parts: (name, folder) of each data set.
        split: "train" or "test".

    Raises:
        ValueError: if data sets with labels have different classes.
    """
    found, classes, first = [], None, None
    for number, (name, folder) in enumerate(parts):
        records = load_records(name, folder, split, "any")
        before = [other for other, _ in parts[:number]].count(name)
        prefix = f"{name}_{before + 1}" if before else name
        if len(parts) > 1:
            found += [dataclasses.replace(r, name=f"{prefix}/{r.name}") for r in records]
        else:
            found += records
        if not any(r.label is not None for r in records):
            continue
        names = class_names(name, folder)
        if classes is not None and names != classes:
            only = sorted(set(names) ^ set(classes))
            raise ValueError(
                "Data sets that are mixed must have the same classes in the same order. "
                f"Received: {first} with {len(classes)} and {name} with {len(names)} classes; "
                f"only in one of them: {only[:8]}"
            )
        classes, first = names, name
    return found, classes or ()


def hold_out(
    records: Sequence[Record], share: float = 0.2, seed: int = 0
) -> tuple[list[Record], list[Record]]:
    """Randomly split records into training and validation records.

    Both parts get at least one video. Records of the same video, such as the parts of a film,
    stay together.

    Args:
        records: the records to split.
        share: share of the videos that goes to validation, between 0 and 1.
        seed: random seed of the split.

    Raises:
        ValueError: if `share` is out of range, or if there are fewer than 2 videos.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"`share` must be between 0 and 1. Received: share={share}")
    film = {record.video: _film(record) for record in records}
    videos = list(dict.fromkeys(film.values()))
    if len(videos) < 2:
        raise ValueError(
            "Training needs at least 2 different videos of the training split, because at least "
            f"one of them is held out for validation. Received: {len(videos)} videos, "
            f"{[record.name for record in records]}"
        )
    count = min(max(1, round(share * len(videos))), len(videos) - 1)
    drawn = np.random.default_rng(seed).permutation(len(videos))[:count]
    held = {videos[number] for number in drawn}
    return (
        [record for record in records if film[record.video] not in held],
        [record for record in records if film[record.video] in held],
    )


def _film(record: Record) -> str:
    """The record's video; for a record in shards, the video that it was prepared from."""
    if not is_shard_video(record.video):
        return record.video
    return shard_video(record.video).facts["record"]["video"]


def _of_split(name: str, root: str, split: str, **options) -> list[Record]:
    training, test = SPLITS.get(name, (("train",), "test"))
    if name == "csv":
        from zoo.datasets import your_own

        held = your_own.load(root, **options)
        _warn_of_unused_rows(held, root)
    elif name == "shards":
        from zoo.datasets.shards import reading

        held = reading.load(root, **options)
        made_of = reading.open_shards(root).manifest["dataset"]
        training, test = SPLITS.get(made_of, SPLITS["shards"])
    else:
        module = _module(name)
        if os.path.isfile(root):
            raise ValueError(
                "A table of your own videos needs `dataset` csv; other data sets are folders. "
                f"Received: dataset={name}, data_dir={root}"
            )
        unknown = sorted(set(options) - set(inspect.signature(module.load).parameters))
        if unknown:
            raise ValueError(f"The reader of {name} must know every option. Received: {unknown}")
        if name in WITHOUT_SPLITS:
            held = module.load(root, **options)
            drawn = np.random.default_rng(0).permutation(len(held))[: len(held) // 5]
            tested = set(drawn.tolist())
            return [r for at, r in enumerate(held) if (at in tested) == (split == "test")]
        splits = training if split == "train" else (test,)
        return [record for part in splits for record in module.load(root, part, **options)]
    splits = training if split == "train" else (test,)
    return [record for record in held if (record.split or "train") in splits]


def _warn_of_unused_rows(records: Sequence[Record], table: str) -> None:
    used = (*SPLITS["csv"][0], SPLITS["csv"][1])
    unused = Counter(r.split for r in records if r.split and r.split not in used)
    if unused:
        counts = ", ".join(f"{split!r} {count}" for split, count in sorted(unused.items()))
        warnings.warn(
            f"Only rows whose split is {', '.join(used)} or empty are used for training and "
            f"testing. Received: {table} with {unused.total()} of {len(records)} rows in other "
            f"splits, which are left out: {counts}",
            DatasetWarning,
            stacklevel=2,
        )


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
            "The data set must be one that `zoo list` names, or csv, or shards. "
            f"Received: dataset={name!r}"
        )
    return module


def _parts(dataset: str, data_dir: str | Path) -> tuple[list[tuple[str, str, dict]], str]:
    """(name, folder, options) of each data set, and the option for similar classes."""
    texts = dataset.split("+")
    folders = [str(data_dir)] if len(texts) == 1 else str(data_dir).split(os.pathsep)
    if len(folders) != len(texts):
        raise ValueError(
            f"Each data set must have a folder; join the folders with {os.pathsep!r}. Received: "
            f"dataset={dataset!r}, data_dir={str(data_dir)!r}"
        )
    parts, similar = [], "error"
    for text, folder in zip(texts, folders):
        name, options = named_options(text)
        if name in (other for other, _, _ in parts):
            raise ValueError(
                "Each of several data sets must be named once; join the folders of one data set "
                f"yourself. Received: dataset={dataset!r} with {name!r} twice"
            )
        similar = options.pop("similar", similar)
        parts.append((name, folder, options))
    return parts, similar


def named_options(text: str) -> tuple[str, dict[str, str | int]]:
    """Split NAME:OPTION=VALUE,OPTION=VALUE into a data set's name and its reader's options."""
    name, _, given = text.partition(":")
    return name.strip(), dict(_option(part) for part in given.split(",") if part.strip())


def _option(text: str) -> tuple[str, str | int]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ValueError(f"An option must be NAME=VALUE. Received: {text!r}")
    value = value.strip()
    return name.strip(), int(value) if value.lstrip("-").isdigit() else value
