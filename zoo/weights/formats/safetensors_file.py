"""The safetensors format: a JSON header, then raw numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

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
    """Tensors of a .safetensors file, as views into the file."""
    whole = map_file(path)
    length = int(whole[:8].view("<u8")[0])
    if 8 + length > whole.size:
        raise WeightsError(
            f"The file must be complete; its header ends too early. Received: {path}"
        )
    try:
        header = json.loads(whole[8 : 8 + length].tobytes())
    except ValueError as error:
        raise WeightsError(f"The header must be JSON. Received: {path}: {error}") from error
    body, result = whole[8 + length :], {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _TYPES:
            raise WeightsError(
                f"A tensor's type must be one of {sorted(_TYPES)}. "
                f"Received: {name} of {entry['dtype']} in {path}"
            )
        dtype, shape = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"])
        start, stop = entry["data_offsets"]
        if not 0 <= start <= stop <= body.size:
            raise WeightsError(
                "The file must be complete; a tensor lies outside it, so download it again. "
                f"Received: {name} in {path}"
            )
        count = int(np.prod(shape, dtype=np.int64))
        if count * dtype.itemsize != stop - start:
            raise WeightsError(
                f"A tensor's bytes must fit its shape. Received: {name}, shape={shape}, "
                f"{stop - start} bytes in {path}"
            )
        array = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        result[name] = array.reshape(shape)
    return result
