"""Loading weights from a `.keras` file of the zoo by the names of layers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

import zoo.layers  # noqa: F401  registers the classes that a saved model holds
from zoo.weights.errors import WeightsError
from zoo.weights.mapping import Plan, apply, plan, table
from zoo.weights.names.layouts import as_is
from zoo.weights.names.origin import Origin, Rule

# Settings of layers that affect the output but not the shapes of weights. Strides and paddings of
# convolutions are not included, because dense models deliberately use other ones.
SETTINGS = ("activation", "dilation_rate", "epsilon", "groups")


def read_graph(path: str | Path) -> keras.Model:
    """The model in a `.keras` file as a functional model of any class, with random weights."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    try:
        return keras.Model.from_config(config["config"])
    except Exception as error:  # a model of another library can raise any error
        raise WeightsError(
            "A .keras file of weights must hold a functional model of layers of the zoo or Keras. "
            f"Received: {path}: {str(error)[:300]}"
        ) from error


def check_settings(model: Any, path: str | Path) -> None:
    """Raise an error with a table if layers have other settings in the file's model."""
    rows = _other_settings(read_graph(path), model)
    if rows:
        raise WeightsError(
            "The layers of the model must have the settings that the weights were trained with. "
            f"Received: {path}, for {model.name} with {len(rows)} differences:\n{table(rows)}"
        )


def load_by_names(model: Any, path: str | Path, *, check_graph: bool = True) -> Plan:
    """Load all weights of a model from the layers with the same names in a saved model.

    The saved model may be larger, such as a whole RMDN for a C3D, or another model with the same
    trunk; its other layers are left out and listed in the plan. If there are differences, nothing
    is loaded.

    Args:
        model: The model to load weights into.
        path: A `.keras` file.
        check_graph: Also compare settings that do not affect shapes, such as the epsilon.

    Raises:
        WeightsError: Weights are missing, or shapes or settings differ; the error shows all
            differences in a table.
    """
    source = read_graph(path)
    source.load_weights(path)
    tensors = {variable.path: keras.ops.convert_to_numpy(variable) for variable in source.weights}
    if len(tensors) < len(source.weights):
        raise WeightsError(
            "The layers of a saved model must have unique names to be loaded by name. "
            f"Received: {path}"
        )
    rules = [Rule(name, name, as_is) for name in tensors]
    names = Origin("own names", source.name, lambda _: rules)
    result = plan(names, "", {name: array.shape for name, array in tensors.items()}, model)
    if check_graph:
        result.problems += _other_settings(source, model)
    if result.problems:
        common = "" if result.assignments else "; the two have no layer with weights in common"
        raise WeightsError(
            "Each weight of the model must be in the file, under its layer's name and in its "
            f"shape{common}. Received: {path}, a {source.name}, for {model.name} with "
            f"{len(result.problems)} differences:\n{table(result.problems)}"
        )
    apply(result, tensors, model, str(path))
    return result


def _other_settings(source: Any, model: Any) -> list[tuple[str, str, str, str, str]]:
    """Rows of the table of differences for layers with other settings."""
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
