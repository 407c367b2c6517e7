"""Mat files of any version as nested dicts of arrays."""

from __future__ import annotations

import os

import h5py
import numpy as np
import scipy.io
import scipy.sparse


def load_mat(path: str | os.PathLike) -> dict:
    """The variables of a mat file; structs are dicts."""
    try:
        if h5py.is_hdf5(path):  # version 7.3
            with h5py.File(path, "r") as file:
                return {name: _value(file, file[name]) for name in file if name[0] != "#"}
        held = scipy.io.loadmat(path, simplify_cells=True)
        return {name: value for name, value in held.items() if not name.startswith("__")}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        raise ValueError(f"A mat file must be readable. Received: {path}: {error}") from error


def mat_field(path: str | os.PathLike, name: str):
    """The field of a mat file, wherever in its structs it stands."""
    waiting = [load_mat(path)]
    while waiting:
        held = waiting.pop()
        if name in held:
            return held[name]
        waiting += [value for value in held.values() if isinstance(value, dict)]
    raise ValueError(f"A mat file must hold `{name}`. Received: {path} without")


def _value(file: h5py.File, node):
    if isinstance(node, h5py.Group) and "MATLAB_sparse" in node.attrs:
        ends, rows = np.asarray(node["jc"]), int(node.attrs["MATLAB_sparse"])
        data = np.asarray(node["data"]) if "data" in node else np.zeros(0)
        places = np.asarray(node["ir"]) if "ir" in node else np.zeros(0, np.int64)
        return scipy.sparse.csc_matrix((data, places, ends), (rows, len(ends) - 1))
    if isinstance(node, h5py.Group):
        return {name: _value(file, node[name]) for name in node}
    value = node[()]
    if node.dtype == h5py.ref_dtype and np.size(value) == 1:
        return _value(file, file[np.ravel(value)[0]])
    return np.asarray(value).T  # MATLAB stores columns first
