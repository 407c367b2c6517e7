"""Reading TensorFlow checkpoints of versions 1 and 2, the only reader that needs its framework."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files.budget import Budget
from zoo.weights.errors import WeightsError
from zoo.weights.formats.tensorflow_table import table_entries

_REFERENCES = 100  # from here on the types of TensorFlow 1's variables, which no file holds


def checkpoint_prefix(path: Path) -> Path:
    """TensorFlow's name of a checkpoint, without `.index` or `.data-00000-of-00001`."""
    if path.suffix == ".index" or path.suffix.startswith(".data-"):
        return path.with_suffix("")
    return path


def _reader(prefix: Path) -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise WeightsError(
            "TensorFlow must be installed to read its checkpoints: pip install tensorflow. "
            f"Received: {prefix}"
        ) from error
    try:
        _check_index(prefix.with_name(prefix.name + ".index"))
        return tf.train.load_checkpoint(str(prefix))
    except Exception as error:  # TensorFlow raises various errors for damaged files
        raise WeightsError(
            f"The file must be a TensorFlow checkpoint. Received: {prefix}: {_line(error)}"
        ) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _type(number: int) -> Any:
    import tensorflow as tf

    if not 0 < number < _REFERENCES:
        raise ValueError(f"a tensor must have a type. Received: type {number}")
    return tf.as_dtype(number)


def _check_index(index: Path) -> None:
    """Raise where TensorFlow's reader would end the process: an entry that cannot be parsed."""
    from tensorflow.core.protobuf import tensor_bundle_pb2

    if not index.exists():  # version 1
        return
    for name, value in table_entries(index.read_bytes()):
        if not name:
            tensor_bundle_pb2.BundleHeaderProto.FromString(value)
            continue
        entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        sides = [side.size for side in entry.shape.dim]
        size = math.prod(sides) * max(_type(entry.dtype).size or 1, 1)
        if min(sides, default=0) < 0 or size >= 1 << 63 or min(entry.offset, entry.size) < 0:
            raise ValueError(f"{name.decode()!r} must have a size. Received: {sides}")


def list_checkpoint(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape, read from only the .index file."""
    shapes = _reader(checkpoint_prefix(path)).get_variable_to_shape_map()
    return {name: tuple(shapes[name]) for name in sorted(shapes) if not name.startswith("_")}


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint, given by its prefix, its .index or one of its .data files."""
    prefix = checkpoint_prefix(path)
    index = prefix.with_name(prefix.name + ".index")
    if index.exists() and not list(prefix.parent.glob(prefix.name + ".data-*")):
        raise WeightsError(
            "A checkpoint's values lie in its .data files; put them next to the .index. "
            f"Received: {index} without them"
        )
    reader = _reader(prefix)
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    files = [prefix] if prefix.exists() else list(prefix.parent.glob(prefix.name + ".data-*"))
    length = sum(file.stat().st_size for file in files)
    # Version 1, a single file, is compressed with Snappy.
    budget, packed = Budget(prefix, length), prefix.exists()
    result = {}
    for name in sorted(shapes):
        if name.startswith("_"):  # the object graph of TensorFlow 2, not a tensor
            continue
        size = math.prod(shapes[name]) * max(types[name].size or 1, 1)
        budget.take(name, size, stored=length, compressed=packed)
        try:
            result[name] = np.asarray(reader.get_tensor(name))
        except Exception as error:
            raise WeightsError(
                "The checkpoint must be complete; one of its .data files is damaged or missing. "
                f"Received: {name} in {prefix}: {_line(error)}"
            ) from error
    return result
