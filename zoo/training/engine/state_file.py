"""Writes and reads the file that holds the state of a training run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from zoo.files.atomic import atomic_path
from zoo.training.devices import scope_of
from zoo.training.state_reader import read_state


def metric_variables(model: keras.Model) -> list:
    """Variables with the running means of a model's losses and metrics."""
    return [variable for metric in model.metrics for variable in metric.variables]


def build_optimizer(model: keras.Model) -> None:
    """Create the optimizer's variables, if the model has its own already.

    Otherwise Keras creates them in the first step on TensorFlow, which then traces the step twice.
    """
    optimizer = model.optimizer
    if model.built and optimizer is not None and not optimizer.built:
        with scope_of(model):
            optimizer.build(model.trainable_variables)


def training_variables(model: keras.Model) -> list:
    """All variables that a step changes: weights, dropout seeds and optimizer slots."""
    build_optimizer(model)
    optimizer = model.optimizer
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
    """Write a compiled model's training state to one `.npz` file.

    Args:
        path: the file to write.
        model: the compiled model.
        progress: progress of the run, JSON-serialisable.
        about: settings that must not change on a resume, JSON-serialisable.
        metrics: also save the metrics' running means of the current epoch.

    Example: `save_state("state.npz", model, {"epoch": 3}, {"devices": 1})`
    """
    arrays = {
        f"{kind}_{index:05d}": _storable(keras.ops.convert_to_numpy(variable))
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


def _storable(values: np.ndarray) -> np.ndarray:
    """NumPy's files cannot hold bfloat16; float32 holds its values exactly."""
    return values.astype(np.float32) if values.dtype.name == "bfloat16" else values


def load_state(
    path: str | os.PathLike, model: keras.Model, about: Mapping
) -> tuple[dict, list[np.ndarray]]:
    """Load a saved training state into a compiled model with the same variables.

    If there is an error, the model is left unchanged.

    Returns:
        The saved progress, and the metrics' running means of the current epoch.

    Raises:
        ValueError: if the file is not a training state, if `about` differs from the saved
            settings, or if the model has other variables.

    Example: `progress, means = load_state("state.npz", model, {"devices": 1})`
    """
    arrays, facts = read_state(Path(path))
    different = [
        f"{name}: {facts['about'].get(name)} then, {about.get(name)} now"
        for name in sorted(facts["about"])  # older states have fewer
        if about.get(name) != facts["about"][name]
    ]
    if different:
        raise ValueError(
            "A run must be resumed with the options it was started with; use those, or choose "
            f"another output folder. Received: {'; '.join(different)}, in {str(path)!r}"
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
            "A run must be resumed with a model that has the same variables; use the options the "
            "run was started with, or choose another output folder. "
            f"Received: {len(stored)} stored variables and {len(shapes)} in the model, "
            f"first difference at variable {first}, in {str(path)!r}"
        )
    for variable, value in zip(variables, held["variable"]):
        variable.assign(value)
    return facts["progress"], held["metric"]
