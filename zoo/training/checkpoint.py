"""The whole state of a training run in one file, written so that a kill never leaves half of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Call `write(temporary)` beside `path`, force it to disk, and move it into place."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays the last part: Keras and NumPy read the format from it.
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.stem}-", suffix=f".partial{path.suffix}"
    )
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes files for their owner alone
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_partial(folder: str | Path) -> None:
    """Delete what a killed run left half written in `folder`."""
    for path in Path(folder).glob(".*-*.partial*"):
        path.unlink(missing_ok=True)


def training_variables(model: keras.Model) -> list:
    """Weights, seed generators of dropout, and the optimizer's slots: all that a step changes."""
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    # Metrics are left out: they start anew at every step.
    skip = {id(variable) for metric in model.metrics for variable in metric.variables}
    found = {id(v): v for v in [*model.variables, *optimizer.variables] if id(v) not in skip}
    return list(found.values())


def save_state(path: str | Path, model: keras.Model, progress: dict) -> None:
    """Write `model`, its optimizer and the JSON-able `progress` to one `.npz` file."""
    arrays = {
        f"variable_{index:05d}": keras.ops.convert_to_numpy(variable)
        for index, variable in enumerate(training_variables(model))
    }
    arrays["progress"] = np.frombuffer(json.dumps(progress).encode(), np.uint8)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)

    write_atomically(path, write)


def load_state(path: str | Path, model: keras.Model) -> dict:
    """Put a saved state into a model of the same build, and return its `progress`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        progress = json.loads(arrays.pop("progress").tobytes())
    except Exception as error:  # zipfile, JSON and NumPy each raise their own
        raise ValueError(
            "A training state must be a file that `save_state` wrote; delete it to start anew. "
            f"Received: path={str(path)!r} ({error})"
        ) from error
    variables = training_variables(model)
    shapes = [tuple(variable.shape) for variable in variables]
    stored = [arrays[name].shape for name in sorted(arrays)]
    if shapes != stored:
        different = next(
            (i for i, pair in enumerate(zip(shapes, stored)) if pair[0] != pair[1]),
            min(len(shapes), len(stored)),
        )
        raise ValueError(
            "The training state must come from a model with the same variables; use the options "
            "it was started with, or another output folder. "
            f"Received: {len(stored)} stored and {len(shapes)} variables, "
            f"first difference at number {different} in {str(path)!r}"
        )
    for variable, name in zip(variables, sorted(arrays)):
        variable.assign(arrays[name])
    return progress
