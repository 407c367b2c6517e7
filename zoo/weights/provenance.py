"""The provenance of converted weights, stored inside the converted file."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras

from zoo.files.archive import open_member
from zoo.weights.errors import WeightsError

_KEY = "zoo_provenance"
_MEMBER = "zoo_provenance.json"


def save_with_provenance(model: keras.Model, path: str | Path, provenance: dict[str, Any]) -> None:
    """Write a model and its provenance to a `.weights.h5` or `.keras` file, atomically.

    Args:
        model: The model.
        path: A path that ends in `.weights.h5` (only weights) or `.keras` (weights and model).
        provenance: JSON values, as returned by `load_weights`.

    Raises:
        WeightsError: The path has another ending.
    """
    path = Path(path)
    if not path.name.endswith((".weights.h5", ".keras")):
        raise WeightsError(f"The output must end in .weights.h5 or .keras. Received: {path}")
    ending = ".keras" if path.suffix == ".keras" else ".weights.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name[: -len(ending)]}.{os.getpid()}{ending}")
    text = json.dumps(provenance, indent=2, sort_keys=True)
    try:
        if ending == ".keras":
            model.save(partial)
            with zipfile.ZipFile(partial, "a") as archive:
                archive.writestr(_MEMBER, text)
        else:
            model.save_weights(partial)
            with h5py.File(partial, "a") as file:
                # HDF5 attributes are limited to 64 KiB; lists of tensors are far smaller.
                file.attrs[_KEY] = text
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def read_provenance(path: str | Path) -> dict[str, Any] | None:
    """The provenance in a file written by `zoo convert`; None for any other file.

    Example: `read_provenance("i3d.keras")["source"]`
    """
    path = Path(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if _MEMBER not in archive.namelist():
                    return None
            with open_member(path, _MEMBER) as (stream, _):
                return json.load(stream)
        if not h5py.is_hdf5(path):
            return None
        with h5py.File(path, "r") as file:
            return json.loads(file.attrs[_KEY]) if _KEY in file.attrs else None
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile):
        return None
