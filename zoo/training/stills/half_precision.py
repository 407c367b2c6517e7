"""Writes half-precision weights, the form in which the zoo ships them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from zoo._version import __version__
from zoo.files.atomic import atomic_path
from zoo.weights.provenance import save_with_provenance

VERSION = ("v110", "v110")  # of HDF5: earlier ones take 0.6 MB more for the same
SMALL = 1024  # numbers: below this, compression saves nothing


def save_half_precision(
    model: keras.Model, path: str | Path, provenance: Mapping[str, Any]
) -> None:
    """Write a model's weights as float16 to a `.weights.h5` file, without losing anything else.

    The file is compressed (HDF5's own gzip; any program that reads HDF5 1.10 reads it), which
    saves another sixth. A model that loads it converts the weights back to its own precision. If
    there is an error, no file is written.

    Args:
        model: the model.
        path: the file to write; ends in `.weights.h5`.
        provenance: plain values to store in the file, see `zoo.weights.read_provenance`.

    Raises:
        ValueError: if a weight exceeds the range of float16.
    """
    path = Path(path)
    made = {"converter": f"video-attention-zoo {__version__}", **provenance}
    with atomic_path(path) as part:
        whole = part.with_name(part.name.split(".part")[0] + ".whole.weights.h5")
        try:
            save_with_provenance(model, whole, made)
            with h5py.File(whole, "r") as source, h5py.File(part, "w", libver=VERSION) as target:
                _copy(source, target)
        finally:
            whole.unlink(missing_ok=True)


def _copy(source: h5py.Group, target: h5py.Group) -> None:
    for name, value in source.attrs.items():
        target.attrs[name] = value
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            _copy(item, target.create_group(name))
            continue
        array = np.asarray(item)
        if array.dtype == np.float32:
            with np.errstate(over="ignore"):  # the error below tells it
                array = array.astype(np.float16)
            if not np.isfinite(array).all():
                raise ValueError(
                    "Weights must lie within the range of float16. "
                    f"Received: {item.name} with values up to {np.abs(np.asarray(item)).max():g}"
                )
        packed = {"chunks": array.shape, "shuffle": True, "compression": "gzip"}
        held = target.create_dataset(name, data=array, **packed if array.size > SMALL else {})
        for key, value in item.attrs.items():
            held.attrs[key] = value
