"""Unpickling PyTorch files without PyTorch, and without letting a file run code.

A pickle is a program. This unpickler resolves only a short list of names, all of them to
replacements that are created anew for each file. It rejects all other names when they are looked
up, before anything is imported or called.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from zoo.weights.errors import WeightsError

# Storage class -> NumPy type. NumPy has no bfloat16; its bits are read as uint16 and widened.
STORAGE_TYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

# Found along with the weights in training checkpoints; always replaced by empty objects.
_INERT = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
    ("argparse", "Namespace"),
    ("collections", "Counter"),
    ("collections", "defaultdict"),
    ("torch", "device"),
    ("torch.serialization", "_get_layout"),
}
_DTYPES = {"float16", "float32", "float64", "bfloat16", "uint8", "int8", "int16", "int32", "int64"}


@dataclass(frozen=True)
class StorageRef:
    """A block of values in the file that has not been read yet."""

    key: str
    dtype: str
    numel: int
    view_offset: int = 0  # in legacy files a storage may be part of another one


@dataclass(frozen=True)
class TensorRef:
    """A tensor as a view into a storage; offset and strides are in elements."""

    storage: StorageRef
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _integers(values: Any) -> tuple[int, ...]:
    result = tuple(values)
    if not all(isinstance(value, int) and value >= 0 for value in result):
        raise WeightsError(f"Sizes and strides must be whole numbers. Received: {result!r}")
    return result


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorRef:
    if not isinstance(storage, StorageRef):
        raise WeightsError(f"A tensor must lie in a storage. Received: {type(storage).__name__}")
    return TensorRef(storage, _integers((offset,))[0], _integers(size), _integers(stride))


def _stand_ins() -> dict[tuple[str, str], Any]:
    """The allowed names and their replacements, new for each file, so no file can alter them."""

    class Table(dict):
        """Replaces OrderedDict; a pickle may set attributes such as `_metadata` on it."""

    class Inert:
        def __new__(cls, *_: Any, **__: Any) -> Inert:
            return object.__new__(cls)

        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __setstate__(self, _: Any) -> None:
            pass

        def __setitem__(self, *_: Any) -> None:
            pass

    class Call:
        __slots__ = ("_function",)

        def __init__(self, function: Callable[..., Any]) -> None:
            self._function = function

        def __call__(self, *arguments: Any) -> Any:
            return self._function(*arguments)

    names: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): Table,
        ("torch", "Size"): Call(lambda sizes=(): _integers(sizes)),
        ("torch._utils", "_rebuild_tensor"): Call(_rebuild_tensor),
        ("torch._utils", "_rebuild_tensor_v2"): Call(_rebuild_tensor),
        ("torch._utils", "_rebuild_parameter"): Call(lambda data, *_: data),
        ("torch.nn.parameter", "Parameter"): Call(lambda data, *_: data),
    }
    for name, dtype in STORAGE_TYPES.items():
        names["torch", name] = names["torch.cuda", name] = dtype
    for name in _DTYPES:
        names["torch", name] = name
    for key in _INERT:
        names[key] = Inert
    return names


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that accepts only tensors, tables and plain values."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")
        self._names = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            pass
        if module.startswith(("torch.nn.", "torchvision.", "__torch__")) or module == "__main__":
            what = (
                "The file holds a whole Python model, not its weights; save `model.state_dict()` "
                "where it was made."
            )
        else:
            what = "Reading it would run code from the file, so it is not read."
        raise WeightsError(f"A weight file may name only tensors. {what} Received: {module}.{name}")

    def persistent_load(self, pid: Any) -> StorageRef:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            raise WeightsError(f"A storage must be named by a tuple. Received: {str(pid)[:80]}")
        _, dtype, key, _, numel = pid[:5]
        if dtype not in STORAGE_TYPES.values():
            raise WeightsError(f"A storage must have a known type. Received: {str(dtype)[:80]}")
        if len(pid) > 5 and pid[5] is not None:
            _, offset, numel = pid[5]
            return StorageRef(str(key), dtype, int(numel), int(offset))
        return StorageRef(str(key), dtype, int(numel))
