"""Reading Keras's HDF5 files: Keras 1 and 2 (.h5), Keras 3 (.weights.h5, also inside .keras)."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

from zoo.files.archive import open_member
from zoo.files.hdf5 import Hdf5Reader, open_hdf5
from zoo.weights.errors import WeightsError

# Keras 1 used one-letter names for weights, and called the moving variance running_std.
_KERAS_1 = {
    "W": "kernel",
    "b": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
}


def is_keras_3(file: h5py.File) -> bool:
    """Whether an HDF5 file was written by Keras 3, which stores no list of layer names."""
    return "layers" in file or "_layer_checkpoint_dependencies" in file or "vars" in file


def read_keras_h5(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """The generation (`keras2` or `keras3`) of a Keras HDF5 file, and its tensors."""
    with open_hdf5(path) as held:
        return _read(held)


def read_keras_archive(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a .keras file."""
    with (
        open_member(path, "model.weights.h5") as (stream, length),
        open_hdf5(stream, label=path, length=length) as held,
    ):
        return _read(held)[1]


def _read(held: Hdf5Reader) -> tuple[str, dict[str, np.ndarray]]:
    file = held.file
    root = held.child(file, "model_weights") or file
    if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
        if not is_keras_3(file):
            raise WeightsError(
                "An HDF5 file must be one that Keras wrote. Received: "
                f"{held.label} with {list(file)[:10]}"
            )
        return "keras3", _read_keras_3(held)
    result: dict[str, np.ndarray] = {}
    for layer in _names(held, root, "layer_names"):
        group = held.child(root, layer)
        if not isinstance(group, h5py.Group):
            raise WeightsError(
                f"Every layer in the file's list must be there. Received: none {layer!r} in "
                f"{held.label}"
            )
        weights = _names(held, group, "weight_names")
        short = [_short(name, index) for index, name in enumerate(weights)]
        nested = len(set(short)) < len(short)  # a nested model: keep the names of its layers
        for weight, name in zip(weights, short):
            key = re.sub(r":\d+$", "", weight) if nested else f"{layer}/{name}"
            result[key] = held.read(held.child(group, weight), f"{layer}/{weight}")
    return "keras2", result


def _names(held: Hdf5Reader, group: h5py.Group, key: str) -> list[str]:
    """A list of names in an attribute; long lists are split into numbered attributes."""
    parts = [key] if key in group.attrs else []
    while key not in parts and f"{key}{len(parts)}" in group.attrs:
        parts.append(f"{key}{len(parts)}")
    return [name for part in parts for name in held.text_list(group, part)]


def _short(weight: str, index: int) -> str:
    name = re.sub(r":\d+$", "", weight).rsplit("/", 1)[-1]
    if re.fullmatch(r"param_\d+", name):
        return ("kernel", "bias")[index] if index < 2 else name
    for old, new in _KERAS_1.items():
        if name == old or name.endswith(f"_{old}"):
            return new
    return name


def _read_keras_3(held: Hdf5Reader) -> dict[str, np.ndarray]:
    return {
        name: held.read(data, name)
        for name, data in held.datasets(held.file)
        if not name.startswith("optimizer")
    }
