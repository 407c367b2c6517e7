"""Reading PyTorch weight files (.pth, .pt, .pickle, .bin) of both formats without PyTorch."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files.budget import Budget
from zoo.files.pickle_check import check_pickle
from zoo.weights.errors import WeightsError
from zoo.weights.formats.mapped import map_file
from zoo.weights.formats.torch_unpickler import RestrictedUnpickler, StorageRef, TensorRef

_LEGACY_MAGIC = 119547037146038801333356
_LARGEST_PICKLE = 1 << 28  # bytes of a data.pkl, which holds only the tensors' descriptions
_DEEPEST = 8  # levels of nested tables that are searched for the weights
# A view may repeat values of its storage, such as an expanded bias, up to this many.
_REPEATED = 1 << 20
# Keys under which training programs store the weights in a checkpoint, most usual first.
_WEIGHT_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")


def read_torch_zip(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file in zip format (PyTorch 1.6 and later), as views into the file."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.endswith("data.pkl")]
        if len(pickles) != 1:
            raise WeightsError(f"A PyTorch file must hold one data.pkl. Received: {pickles}")
        root = pickles[0][: -len("data.pkl")]
        order = members.get(f"{root}byteorder")
        if order is not None and archive.open(order).read(8) != b"little":
            raise WeightsError(f"Weights must be little-endian. Received: {path}")
        budget = Budget(path, os.path.getsize(path))
        content = _unpickle(io.BytesIO(_member(archive, members[pickles[0]], budget)), path)
        whole = map_file(path)

        def storage(key: str) -> np.ndarray:
            info = members.get(f"{root}data/{key}")
            if info is None:
                raise WeightsError(f"The file must hold every storage. Received: none named {key}")
            if info.compress_type != zipfile.ZIP_STORED:
                return np.frombuffer(_member(archive, info, budget), np.uint8)
            header = whole[info.header_offset : info.header_offset + 30]
            start = info.header_offset + 30 + int(header[26:30].view("<u2").sum())
            return whole[start : start + info.file_size]

        return _tensors(content, storage, path)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> bytes:
    compressed = info.compress_type != zipfile.ZIP_STORED
    budget.take(info.filename, info.file_size, stored=info.compress_size, compressed=compressed)
    if info.filename.endswith("data.pkl") and info.file_size > _LARGEST_PICKLE:
        raise WeightsError(
            f"A data.pkl may have {_LARGEST_PICKLE} bytes. Received: {info.file_size} in "
            f"{archive.filename}"
        )
    return archive.read(info)


def read_torch_legacy(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file in legacy format (PyTorch 1.5 and before), as views into the file."""
    whole = map_file(path)
    with path.open("rb") as stream:
        magic = _unpickle(stream, path, whole)
        if magic != _LEGACY_MAGIC:
            raise WeightsError(
                "A pickle must be one that PyTorch saved. Received: a pickle of "
                f"{type(magic).__name__} in {path}"
            )
        _, _, content, keys = (_unpickle(stream, path, whole) for _ in range(4))
        if not isinstance(keys, list):
            raise WeightsError(f"The list of storages must follow the weights. Received: {path}")
        sizes = {
            ref.storage.key: _itemsize(ref.storage.dtype)
            for ref in _references(content)
            if isinstance(ref.storage, StorageRef)
        }
        position, storages = stream.tell(), {}
        for key in map(str, keys):
            if position + 8 > whole.size:
                raise _truncated(path)
            count = int(np.frombuffer(whole, "<i8", 1, position)[0])
            start = position + 8
            position = start + count * sizes.get(key, 1)
            if key not in sizes:
                raise WeightsError(f"Every storage must be in use. Received: {key} in {path}")
            if count < 0 or position > whole.size:
                raise _truncated(path)
            storages[key] = whole[start:position]

    def storage(key: str) -> np.ndarray:
        if key not in storages:
            raise WeightsError(f"The file must hold every storage. Received: none named {key}")
        return storages[key]

    return _tensors(content, storage, path)


def _unpickle(stream: Any, path: Path, whole: np.ndarray | None = None) -> Any:
    try:
        start = stream.tell()
        data = memoryview(stream.getvalue() if whole is None else whole)
        length = check_pickle(data[start:], path)
        found = RestrictedUnpickler(io.BytesIO(data[start : start + length])).load()
        stream.seek(start + length)
        return found
    except WeightsError as error:
        raise WeightsError(f"{error} in {path}") from None
    except EOFError:
        raise _truncated(path) from None
    except zipfile.BadZipFile as error:
        raise WeightsError(f"The file must not be damaged. Received: {path}: {error}") from error
    except Exception as error:
        if "truncated" in str(error) or "ran out of input" in str(error).lower():
            raise _truncated(path) from None
        raise WeightsError(
            f"The file must be one that PyTorch saved. Received: {path}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _truncated(path: Path) -> WeightsError:
    return WeightsError(
        "The file must be complete; it ends too early, so download it again. "
        f"Received: {path}, {path.stat().st_size} bytes"
    )


def _itemsize(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _references(content: Any) -> list[TensorRef]:
    """All tensors in nested tables and lists, found without recursion, as nesting may be deep."""
    found, stack, seen = [], [content], set()
    while stack:
        item = stack.pop()
        if isinstance(item, TensorRef):
            found.append(item)
        elif isinstance(item, (dict, list, tuple)) and id(item) not in seen:
            seen.add(id(item))
            stack.extend(dict.values(item) if isinstance(item, dict) else item)
    return found


def _state_dict(content: Any, path: Path) -> dict[Any, Any]:
    if not isinstance(content, dict):
        raise WeightsError(
            f"The file must hold a table of tensors. Received: {type(content).__name__} in {path}"
        )
    table, depth = dict(dict.items(content)), 0
    while not any(isinstance(value, TensorRef) for value in table.values()):
        inner = {
            key: dict(dict.items(value))
            for key, value in table.items()
            if isinstance(value, dict) and "optim" not in str(key)
        }
        holding = {key: value for key, value in inner.items() if _references(value)}
        chosen = next((key for key in _WEIGHT_KEYS if key in holding), None)
        if chosen is None and len(holding) == 1:
            chosen = next(iter(holding))
        depth += 1
        if chosen is None or depth > _DEEPEST:
            raise WeightsError(
                "The file must hold one table of tensors, by itself or under "
                f"{', '.join(_WEIGHT_KEYS)}. Received: {path} with {list(table)[:10]}"
            )
        table = holding[chosen]
    return table


def _tensors(
    content: Any, storage: Callable[[str], np.ndarray], path: Path
) -> dict[str, np.ndarray]:
    table = _state_dict(content, path)
    blocks: dict[str, np.ndarray] = {}
    result, budget = {}, Budget(path, _REPEATED)
    for name, reference in table.items():
        if not isinstance(reference, TensorRef):
            continue
        key = reference.storage.key
        if key not in blocks:
            blocks[key] = storage(key)
            budget.length += blocks[key].size
        size = math.prod(reference.shape) * _itemsize(reference.storage.dtype)
        budget.take(str(name), size, stored=max(blocks[key].size, _REPEATED))
        result[str(name)] = _view(blocks[key], reference, str(name), path)
    return result


def _view(block: np.ndarray, reference: TensorRef, name: str, path: Path) -> np.ndarray:
    storage, size = reference.storage, _itemsize(reference.storage.dtype)
    dtype = np.dtype("<u2" if storage.dtype == "bfloat16" else storage.dtype)
    if len(reference.shape) != len(reference.strides):
        raise WeightsError(f"A tensor must have a stride for each axis. Received: {name} in {path}")
    if 0 in reference.shape:
        return np.empty(reference.shape, dtype)
    start = storage.view_offset + reference.offset
    last = start + sum((n - 1) * s for n, s in zip(reference.shape, reference.strides))
    if (last + 1) * size > block.size:
        raise WeightsError(
            "A tensor must lie inside its storage; the file is damaged or incomplete. "
            f"Received: {name} needs {(last + 1) * size} bytes of {block.size} in {path}"
        )
    flat = np.frombuffer(block, dtype, last - start + 1, start * size)
    strides = tuple(stride * size for stride in reference.strides)
    array = np.lib.stride_tricks.as_strided(flat, reference.shape, strides, writeable=False)
    if storage.dtype == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array
