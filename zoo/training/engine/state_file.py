"""The file that holds the state of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from zoo.files.atomic import atomic_path
from zoo.training.devices import scope_of


def metric_variables(model: keras.Model) -> list:
    """The running means of a model's losses and metrics."""
    return [variable for metric in model.metrics for variable in metric.variables]


def training_variables(model: keras.Model) -> list:
    """Weights, seed generators of dropout, and the optimizer's slots: all that a step changes."""
    optimizer = model.optimizer
    if not optimizer.built:
        with scope_of(model):
            optimizer.build(model.trainable_variables)
    skip = {id(variable) for variable in metric_variables(model)}
    found = {id(v): v for v in [*model.variables, *optimizer.variables] if id(v) not in skip}
    return list(found.values())


def save_state(
    path: str | os.PathLike,
    model: keras.Model,
    progress: Mapping,
    about: Mapping,
    *,
    metrics: bool = False,
) -> None:
    """Write a compiled model's state and JSON-able facts to one `.npz` file.

    Args:
        path: the file.
        model: the model.
        progress: how far the run is.
        about: what a resume must have in common with the run.
        metrics: save the running means of the epoch under way too.
    """
    arrays = {
        f"{kind}_{index:05d}": keras.ops.convert_to_numpy(variable)
        for kind, variables in (
            ("variable", training_variables(model)),
            ("metric", metric_variables(model) if metrics else []),
        )
        for index, variable in enumerate(variables)
    }
    text = json.dumps({"progress": dict(progress), "about": dict(about)})
    arrays["facts"] = np.frombuffer(text.encode(), np.uint8)
    with atomic_path(path) as part, open(part, "wb") as file:
        np.savez(file, **arrays)


def load_state(
    path: str | os.PathLike, model: keras.Model, about: Mapping
) -> tuple[dict, list[np.ndarray]]:
    """Put a saved state into a compiled model of the same build; nothing is changed on an error.

    Returns:
        The saved progress, and the running means of the epoch under way.
    """
    arrays, facts = _read(Path(path))
    different = [
        f"{name}: {facts['about'].get(name)} then, {about.get(name)} now"
        for name in sorted({*about, *facts["about"]})
        if about.get(name) != facts["about"].get(name)
    ]
    if different:
        raise ValueError(
            "A run must go on as it was started: use the options it was started with, or another "
            f"output folder. Received: {'; '.join(different)}, in {str(path)!r}"
        )
    held = {
        kind: [arrays[name] for name in sorted(arrays) if name.startswith(kind)]
        for kind in ("variable", "metric")
    }
    variables = training_variables(model)
    shapes = [tuple(variable.shape) for variable in variables]
    stored = [array.shape for array in held["variable"]]
    if shapes != stored:
        first = next(
            (i for i, pair in enumerate(zip(shapes, stored)) if pair[0] != pair[1]),
            min(len(shapes), len(stored)),
        )
        raise ValueError(
            "The training state must come from a model with the same variables; use the options "
            "it was started with, or another output folder. "
            f"Received: {len(stored)} stored and {len(shapes)} variables, "
            f"first difference at number {first} in {str(path)!r}"
        )
    for variable, value in zip(variables, held["variable"]):
        variable.assign(value)
    return facts["progress"], held["metric"]


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(arrays.pop("facts").tobytes())
    except Exception as error:  # zipfile, JSON and NumPy each raise their own
        raise ValueError(
            "A training state must be a file that a run wrote; delete it to start the run anew. "
            f"Received: {str(path)!r} ({error})"
        ) from error
