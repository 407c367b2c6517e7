"""Weights out of a `.keras` file of the zoo, by the names of its layers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo.layers  # noqa: F401  registers the classes that a saved model holds
from zoo.weights.errors import WeightsError
from zoo.weights.mapping import Plan, apply, plan, table
from zoo.weights.names.layouts import as_is
from zoo.weights.names.origin import Origin, Rule

# Settings of a layer that change what the same weights compute, and that no shape shows. Strides
# and paddings of convolutions are none of them: a dense model computes with others on purpose.
SETTINGS = ("activation", "dilation_rate", "epsilon", "groups")


def read_graph(path: str | Path) -> keras.Model:
    """The graph in a `.keras` file, whatever class of model it was, with random weights."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    try:
        return keras.Model.from_config(config["config"])
    except Exception as error:  # whatever a graph of another library raises
        raise WeightsError(
            "A .keras file of weights must hold a functional model of the zoo's or Keras's own "
            f"layers. Received: {path}: {str(error)[:300]}"
        ) from error


def check_settings(model: Any, path: str | Path) -> None:
    """Raise a table if layers of one name compute something else in the file's model."""
    rows = _other_settings(read_graph(path), model)
    if rows:
        raise WeightsError(
            "The layers of the model must have the settings that the weights were trained with. "
            f"Received: {path}, for {model.name} with {len(rows)} differences:\n{table(rows)}"
        )


def load_by_names(model: Any, path: str | Path, *, check_graph: bool = True) -> Plan:
    """Set every weight of a model from the layers of the same names in a saved model.

    The saved model may be larger, such as a whole RMDN for a C3D, or of another kind with the
    same trunk; its other layers are left out and named in the plan. A weight of `model` that the
    file does not have, another shape, or another setting of a layer is an error, with all of them
    in a table; then nothing is set.

    Args:
        model: the model that gets the weights.
        path: a `.keras` file.
        check_graph: also compare settings, such as padding, that no shape shows.
    """
    source = read_graph(path)
    source.load_weights(path)
    tensors = {variable.path: np.asarray(variable.value) for variable in source.weights}
    if len(tensors) < len(source.weights):
        raise WeightsError(
            "The layers of a saved model must have names of their own to be read by name. "
            f"Received: {path}"
        )
    rules = [Rule(name, name, as_is) for name in tensors]
    names = Origin("own names", source.name, lambda _: rules)
    result = plan(names, "", {name: array.shape for name, array in tensors.items()}, model)
    if check_graph:
        result.problems += _other_settings(source, model)
    if result.problems:
        whole = "" if result.assignments else "; the two have no layer with weights in common"
        raise WeightsError(
            "Every weight of the model must be in the file, under its layer's name and in its "
            f"shape{whole}. Received: {path}, a {source.name}, for {model.name} with "
            f"{len(result.problems)} differences:\n{table(result.problems)}"
        )
    apply(result, tensors, model, str(path))
    return result


def _other_settings(source: Any, model: Any) -> list[tuple[str, str, str, str, str]]:
    """Rows of the table of differences for layers that compute something else."""
    theirs = {layer.name: layer for layer in _layers(source)}
    rows = []
    for layer in _layers(model):
        other = theirs.get(layer.name)
        if other is None or type(other) is not type(layer):
            continue
        ours, held = layer.get_config(), other.get_config()
        padding = ("padding",) if type(layer).__name__.startswith("ZeroPadding") else ()
        for key in (*SETTINGS, *padding):
            if key in ours and _tuples(ours[key]) != _tuples(held.get(key)):
                row = ("other setting", f"{layer.name}.{key}", str(held.get(key)))
                rows.append((*row, f"{layer.name}.{key}", str(ours[key])))
    return rows


def _layers(model: Any) -> list[Any]:
    """All layers of a model and of the models within it."""
    return [layer for layer in model._flatten_layers() if layer is not model]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value
