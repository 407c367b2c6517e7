"""Keras's HDF5 files: Keras 1 and 2 (.h5), Keras 3 (.weights.h5, and .keras around it)."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from zoo.weights.errors import WeightsError

# Keras 1 named weights by one letter, and called the moving variance running_std.
_KERAS_1 = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}


def is_keras_3(file: h5py.File) -> bool:
    """Whether an HDF5 file is of Keras 3, which stores no list of layer names."""
    return "layers" in file or "_layer_checkpoint_dependencies" in file or "vars" in file


def read_keras_h5(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """The generation (`keras2` or `keras3`) of a Keras HDF5 file, and its tensors."""
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except OSError as error:
        raise WeightsError(
            "The file must be whole HDF5; it is damaged or ends too early. "
            f"Received: {path}: {error}"
        ) from error


def read_keras_archive(path: Path) -> dict[str, np.ndarray]:
    """Tensors of a .keras file."""
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        return _read(file, path)[1]


def _read(file: h5py.File, path: Path) -> tuple[str, dict[str, np.ndarray]]:
    root = file.get("model_weights", file)
    if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
        if not is_keras_3(file):
            raise WeightsError(
                "An HDF5 file must be one that Keras wrote. Received: "
                f"{path} with {list(file)[:10]}"
            )
        return "keras3", _read_keras_3(file)
    result: dict[str, np.ndarray] = {}
    for layer in _names(root, "layer_names"):
        group = root[layer]
        weights = _names(group, "weight_names")
        short = [_short(name, index) for index, name in enumerate(weights)]
        nested = len(set(short)) < len(short)  # a model inside the model: keep its layers' names
        for weight, name in zip(weights, short):
            key = re.sub(r":\d+$", "", weight) if nested else f"{layer}/{name}"
            result[key] = np.asarray(group[weight])
    return "keras2", result


def _names(group: Any, key: str) -> list[str]:
    """A list in an attribute; long lists are cut into numbered parts."""
    parts = [key] if key in group.attrs else []
    while key not in parts and f"{key}{len(parts)}" in group.attrs:
        parts.append(f"{key}{len(parts)}")
    return [
        name.decode("utf-8") if isinstance(name, bytes) else str(name)
        for part in parts
        for name in group.attrs[part]
    ]


def _short(weight: str, index: int) -> str:
    name = re.sub(r":\d+$", "", weight).rsplit("/", 1)[-1]
    if re.fullmatch(r"param_\d+", name):
        return ("kernel", "bias")[index] if index < 2 else name
    for old, new in _KERAS_1.items():
        if name == old or name.endswith(f"_{old}"):
            return new
    return name


def _read_keras_3(file: h5py.File) -> dict[str, np.ndarray]:
    result: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer"):
            result[name] = np.asarray(item)

    file.visititems(visit)
    return result
