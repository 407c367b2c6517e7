"""Reading the safetensors format: a JSON header, then raw numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from zoo.files.budget import Budget
from zoo.weights.errors import WeightsError
from zoo.weights.formats.mapped import map_file

_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a .safetensors file, as views into the file."""
    whole = map_file(path)
    length = int.from_bytes(whole[:8].tobytes(), "little")
    if whole.size < 8 or 8 + length > whole.size:
        raise WeightsError(
            f"The file must be complete; its header ends too early. Received: {path}"
        )
    try:
        header = json.loads(whole[8 : 8 + length].tobytes())
        if not isinstance(header, dict):
            raise ValueError(f"a {type(header).__name__}")
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"The header must be JSON. Received: {path}: {error}") from error
    body, result, budget = whole[8 + length :], {}, Budget(path, whole.size)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        _check_entry(name, entry, path)
        if entry["dtype"] not in _TYPES:
            raise WeightsError(
                f"A tensor's type must be one of {sorted(_TYPES)}. "
                f"Received: {name} of {entry['dtype']} in {path}"
            )
        dtype, shape = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"])
        start, stop = entry["data_offsets"]
        if not start <= stop <= body.size:
            raise WeightsError(
                "The file must be complete; a tensor lies outside it, so download it again. "
                f"Received: {name} in {path}"
            )
        count = math.prod(shape)
        if count * dtype.itemsize != stop - start:
            raise WeightsError(
                f"A tensor's bytes must fit its shape. Received: {name}, shape={shape}, "
                f"{stop - start} bytes in {path}"
            )
        budget.take(name, stop - start, stored=stop - start)
        array = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        result[name] = array.reshape(shape)
    return result


def _check_entry(name: str, entry: object, path: Path) -> None:
    numbers = []
    if isinstance(entry, dict):
        shape, offsets = entry.get("shape"), entry.get("data_offsets")
        if isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2:
            numbers = [*shape, *offsets]
    known = numbers and all(type(number) is int and number >= 0 for number in numbers)
    if not known or not isinstance(entry.get("dtype"), str):
        raise WeightsError(
            "A tensor must have a type, a shape and two offsets. Received: "
            f"{name} with {str(entry)[:80]} in {path}"
        )
