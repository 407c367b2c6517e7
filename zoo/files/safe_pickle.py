"""Pickles from the net, read without running what they name."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

__all__ = ["read_pickle"]

PLAIN = ("list", "dict", "tuple", "set", "frozenset", "complex", "bytearray", "slice", "range")
ARRAYS = {
    "dtype": np.dtype,
    "ndarray": np.ndarray,
    "_reconstruct": np.zeros(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
}


def _encode(text: str, codec: str = "latin1") -> bytes:
    # How Python 3 writes bytes for Python 2; other codecs would be looked up by their names.
    if codec != "latin1":
        raise pickle.UnpicklingError(f"it names the codec {codec!r}")
    return text.encode("latin1")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        """Plain containers and NumPy arrays alone; anything else could run code."""
        if module in ("builtins", "__builtin__") and name in PLAIN:
            return getattr(__import__("builtins"), name)
        if (module, name) == ("_codecs", "encode"):
            return _encode
        root = module.split(".")[0]
        if root == "numpy" and name in ARRAYS:
            return ARRAYS[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_pickle(path: str | Path, encoding: str = "latin1") -> object:
    """What a pickle of plain containers and NumPy arrays holds; a pickle of more is refused.

    Args:
        path: The file.
        encoding: How text of Python 2 is decoded.
    """
    try:
        with open(path, "rb") as file:
            return _Reader(file, encoding=encoding).load()
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise ValueError(
            "A pickle must hold lists, dicts, numbers, text and NumPy arrays alone, and be whole. "
            f"Received: {path}: {type(error).__name__}: {error}"
        ) from error
