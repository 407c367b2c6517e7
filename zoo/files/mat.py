"""Reads MATLAB files (.mat) of any version as nested dicts of arrays."""

from __future__ import annotations

import io
import os
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import scipy.sparse

from zoo.files.errors import FileFormatError
from zoo.files.hdf5 import Hdf5Reader, open_hdf5
from zoo.files.mat5 import HEADER, unpack_mat5

DEEPEST = 50  # levels of nested structs


def load_mat(path: str | os.PathLike, **options) -> dict:
    """The variables of a .mat file, with structs as dicts.

    Args:
        path: The file, of any version.
        options: Options of `scipy.io.loadmat`, for files before version 7.3; they replace
            the default, `simplify_cells=True`.

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: the file is damaged, links to other files or declares more than it holds.
    """
    try:
        if h5py.is_hdf5(path):  # version 7.3
            with open_hdf5(path) as held:
                return _variables(held)
        found = scipy.io.loadmat(_checked(path), **(options or {"simplify_cells": True}))
        return {name: value for name, value in found.items() if not name.startswith("__")}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can fail in any way
        raise FileFormatError(f"A mat file must be readable. Received: {path}: {error}") from error


def mat_field(path: str | os.PathLike, name: str):
    """A field of a .mat file by name, at any depth of its structs."""
    waiting = [load_mat(path)]
    while waiting:
        held = waiting.pop()
        if name in held:
            return held[name]
        waiting += [value for value in held.values() if isinstance(value, dict)]
    raise ValueError(f"A mat file must contain `{name}`. Received: {path} without it")


def _checked(path: str | os.PathLike) -> io.BytesIO:
    with open(path, "rb") as file:
        head = file.read(HEADER)
    if len(head) == HEADER and head[126:128] in (b"IM", b"MI"):
        return unpack_mat5(path)
    # Version 4 has no compression: read from memory, no array can exceed the file.
    return io.BytesIO(Path(path).read_bytes())


def _variables(held: Hdf5Reader) -> dict:
    values: dict[int, np.ndarray] = {}  # by address: references may share a data set

    def value(node, name: str, depth: int):
        if depth > DEEPEST:
            raise FileFormatError(f"Structs may be nested {DEEPEST} deep. Received: {name}, deeper")
        if isinstance(node, h5py.Group):
            held.once(node, name)
            if "MATLAB_sparse" in node.attrs:
                return _sparse(held, node, name)
            return {key: value(held.child(node, key), f"{name}/{key}", depth + 1) for key in node}
        if node.dtype == h5py.ref_dtype:
            held.once(node, name)
            references = held.read(node, name)
            if references.size == 1:
                return value(_target(held, references, name), name, depth + 1)
            return np.asarray(references).T
        place = h5py.h5o.get_info(node.id).addr
        if place not in values:
            values[place] = held.read(node, name).T  # MATLAB is column-major
        return values[place]

    names = [name for name in held.file if name[0] != "#"]
    return {name: value(held.child(held.file, name), name, 0) for name in names}


def _target(held: Hdf5Reader, references: np.ndarray, name: str):
    reference = np.ravel(references)[0]
    if not reference:
        raise FileFormatError(f"A reference must have a target. Received: {name} without one")
    return held.file[reference]


def _sparse(held: Hdf5Reader, node: h5py.Group, name: str) -> scipy.sparse.csc_matrix:
    rows = int(node.attrs["MATLAB_sparse"])
    parts = {
        key: held.read(held.child(node, key), f"{name}/{key}")
        for key in ("data", "ir", "jc")
        if key in node
    }
    ends, places = parts["jc"], parts.get("ir", np.zeros(0, np.int64))
    matrix = (parts.get("data", np.zeros(0)), places, ends)
    found = scipy.sparse.csc_matrix(matrix, (rows, len(ends) - 1))
    found.check_format(full_check=True)  # indices must be inside the matrix
    return found
