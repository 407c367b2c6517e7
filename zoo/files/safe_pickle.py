"""Reads untrusted pickles without running the code that they name."""

from __future__ import annotations

import io
import math
import pickle
import re
from pathlib import Path

import numpy as np

from zoo.files.errors import FileFormatError
from zoo.files.pickle_check import check_pickle

__all__ = ["read_pickle"]

_PLAIN_TYPE = re.compile(r"[<>|=]?([biufc?][0-9]{0,2}|[SU][0-9]{1,6}|O8?)")


def _encode(text: str, codec: str = "latin1") -> bytes:
    # Python 3 pickles bytes for Python 2 this way; other codecs would be looked up by name.
    if codec != "latin1":
        raise pickle.UnpicklingError(f"it names the codec {codec!r}")
    return text.encode("latin1")


def _container(kind: type):
    """A constructor that takes only existing data: no `bytearray(8_000_000_000)`."""

    def make(*parts):
        if len(parts) > 1 or (parts and not isinstance(parts[0], (list, tuple, set, dict, bytes))):
            raise pickle.UnpicklingError(f"it makes a {kind.__name__} of {type(parts[0]).__name__}")
        return kind(*parts)

    return make


class _DType:
    """Replaces `numpy.dtype`: allows numbers, text and objects, but no fields."""

    def __init__(self, text: str, *_: object):
        if not isinstance(text, str) or not _PLAIN_TYPE.fullmatch(text):
            raise pickle.UnpicklingError(f"it names the type {str(text)[:40]!r}")
        self.value = np.dtype(text)

    def __setstate__(self, state: tuple) -> None:
        if len(state) < 3 or state[2] is not None:
            raise pickle.UnpicklingError("it names a type with parts")
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder(state[1])


class _Array(np.ndarray):
    """Replaces `numpy.ndarray`; accepts a state only if its shape and data agree."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _DType) or not all(
            isinstance(side, int) and side >= 0 for side in shape
        ):
            raise pickle.UnpicklingError("it holds an array without a size")
        size, dtype = math.prod(shape), dtype.value
        held = len(data) if dtype.hasobject else len(data) // max(dtype.itemsize, 1)
        if held != size:
            raise pickle.UnpicklingError(f"an array of shape {shape} with {held} numbers")
        super().__setstate__((1, tuple(shape), dtype, bool(fortran), data))


def _reconstruct(kind: type, shape: object, code: object) -> np.ndarray:
    if kind is not _Array or shape != (0,):
        raise pickle.UnpicklingError("it makes an array that is not an empty one")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _scalar(dtype: _DType, data: bytes | str = b"") -> object:
    data = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(dtype, _DType) or len(data) != dtype.value.itemsize:
        raise pickle.UnpicklingError("it holds a number of the wrong size")
    return np.frombuffer(data, dtype.value)[0]


_CONTAINERS = (list, dict, tuple, set, frozenset, bytearray)
_NUMPY = {"dtype": _DType, "ndarray": _Array, "_reconstruct": _reconstruct, "scalar": _scalar}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        """Allow only plain containers and NumPy arrays; anything else could run code."""
        if module in ("builtins", "__builtin__"):
            for kind in _CONTAINERS:
                if kind.__name__ == name:
                    return _container(kind)
            if name == "complex":
                return complex
        if (module, name) == ("_codecs", "encode"):
            return _encode
        if module.split(".")[0] == "numpy" and name in _NUMPY:
            return _NUMPY[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_pickle(path: str | Path, encoding: str = "latin1") -> object:
    """Read a pickle of plain containers and NumPy arrays; refuse one with anything else.

    Args:
        path: The file.
        encoding: The encoding of strings pickled by Python 2.

    Raises:
        FileFormatError: the pickle is damaged, names other objects or requests more than it holds.
    """
    data = Path(path).read_bytes()
    try:
        check_pickle(data, path)
        return _Reader(io.BytesIO(data), encoding=encoding).load()
    except Exception as error:  # a damaged pickle can fail in any way
        raise FileFormatError(
            "A pickle must be complete, with only lists, dicts, numbers, text and NumPy arrays. "
            f"Received: {path}: {type(error).__name__}: {error}"
        ) from error
