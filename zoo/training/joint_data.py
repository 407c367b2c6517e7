"""Records of one or several data sets for two tasks, and weights from other models."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import keras

from zoo.datasets.record import Record
from zoo.training.data import SPLITS


def joint_records(config, split: str) -> tuple[list[Record], tuple[str, ...]]:
    """Records with gaze or a label, of the recipe's data sets, and the names of their classes.

    Data sets without labels mix with any; those with labels must have the same classes.
    """
    parts = [(config.dataset, config.data_dir)]
    for item in config.more:
        name, equals, folder = item.partition("=")
        if not (name and equals and folder):
            raise ValueError(f'`more` must hold "name=FOLDER". Received: more={config.more}')
        parts.append((name, folder))
    found, classes, first = [], None, None
    for name, folder in parts:
        records, names = _one(name, folder, split)
        found += [r for r in records if r.gaze is not None or r.label is not None]
        if not any(r.label is not None for r in records):
            continue
        if classes is not None and tuple(names) != tuple(classes):
            only = sorted(set(names) ^ set(classes))
            raise ValueError(
                "Data sets that are mixed must have the same classes in the same order. "
                f"Received: {first} with {len(classes)} and {name} with {len(names)} classes; "
                f"in one of them only: {only[:8]}"
            )
        classes, first = tuple(names), name
    if split == "train" and not found:
        raise ValueError(
            "There must be at least one video with gaze or a label. "
            f"Received: {', '.join(f'{n} in {d}' for n, d in parts)} without any"
        )
    if classes is None:
        if split == "train":
            raise ValueError(
                "A joint model needs labels in at least one data set; use zoo.recipes.rmdn for "
                f"saliency alone. Received: {[name for name, _ in parts]} without labels"
            )
        classes = ()
    return found, classes


def _one(name: str, folder: str, split: str) -> tuple[list[Record], Sequence[str]]:
    learn, test = SPLITS.get(name, (("train",), "test"))
    wanted = learn if split == "train" else (test,)
    if name == "csv":
        from zoo.datasets import your_own

        records = [r for r in your_own.load(folder) if (r.split or "train") in wanted]
        return records, tuple(your_own.class_names(folder))
    try:
        module = importlib.import_module(f"zoo.datasets.{name}")
        load = module.load
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"A data set must be a module of zoo.datasets, or csv. Received: dataset={name!r}"
        ) from error
    records = [record for part in wanted for record in load(folder, split=part)]
    return records, tuple(getattr(module, "CLASSES", ()))


def copy_layers(source: keras.Model, target: keras.Model, beginnings: tuple[str, ...]) -> list[str]:
    """Copy the weights of layers with the same names, and say which; none is an error."""
    own = {layer.name: layer for layer in target.layers}
    copied = []
    for layer in source.layers:
        if not layer.weights or not layer.name.startswith(beginnings):
            continue
        if layer.name not in own:
            continue
        shapes = [tuple(w.shape) for w in layer.weights]
        wanted = [tuple(w.shape) for w in own[layer.name].weights]
        if shapes != wanted:
            raise ValueError(
                "The saliency model must have been built with the same options. Received: layer "
                f"{layer.name!r} with weights {shapes[:3]} for {wanted[:3]}"
            )
        own[layer.name].set_weights(layer.get_weights())
        copied.append(layer.name)
    if not copied:
        raise ValueError(
            "The saliency model must share layers with this one. "
            f"Received: {source.name!r} with {[layer.name for layer in source.layers]}"
        )
    return copied
