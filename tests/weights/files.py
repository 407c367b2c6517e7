"""Writers of third-party formats, for tests that need no third-party framework."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np

_STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "uint16": "BFloat16Storage",  # the bits of bfloat16, which NumPy does not have
}
LEGACY_MAGIC = 119547037146038801333356


def _text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _int(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def _tuple(numbers) -> bytes:
    return b"(" + b"".join(_int(int(number)) for number in numbers) + b"t"


def _reference(view, key: str, legacy: bool) -> bytes:
    storage, offset, shape, strides = view
    kind = _STORAGES[str(storage.dtype)]
    pid = b"(" + _text("storage") + f"ctorch\n{kind}\n".encode() + _text(key) + _text("cpu")
    pid += _int(storage.size) + (b"N" if legacy else b"") + b"tQ"
    empty = b"ccollections\nOrderedDict\n)R"
    arguments = b"(" + pid + _int(offset) + _tuple(shape) + _tuple(strides) + b"\x89" + empty + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def as_view(array: np.ndarray):
    """(storage, offset, shape, strides in elements) of a contiguous array."""
    array = np.array(array, order="C")
    strides = [stride // array.itemsize for stride in array.strides]
    return array.reshape(-1), 0, array.shape, strides


def _table(views: dict, keys: dict, legacy: bool) -> bytes:
    result = b"ccollections\nOrderedDict\n)R"
    for name, view in views.items():
        result += _text(name) + _reference(view, keys[id(view[0])], legacy) + b"s"
    return result


def _pickle(views: dict, nested: str | None, legacy: bool) -> tuple[bytes, dict[str, np.ndarray]]:
    storages: dict[str, np.ndarray] = {}
    keys: dict[int, str] = {}
    for storage, *_ in views.values():
        if id(storage) not in keys:
            keys[id(storage)] = str(len(storages))
            storages[str(len(storages))] = storage
    body = _table(views, keys, legacy)
    if nested:
        body = b"}" + _text("epoch") + _int(7) + b"s" + _text(nested) + body + b"s"
    return b"\x80\x02" + body + b".", storages


def write_torch_zip(path: Path, views: dict, nested: str | None = None) -> Path:
    """The zip form of `torch.save`; `views` holds arrays or the tuples of `as_view`."""
    views = {k: v if isinstance(v, tuple) else as_view(v) for k, v in views.items()}
    content, storages = _pickle(views, nested, legacy=False)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        for key, storage in storages.items():
            archive.writestr(f"archive/data/{key}", storage.tobytes())
    return path


def write_torch_legacy(path: Path, views: dict, nested: str | None = None) -> Path:
    """The form of `torch.save` before 1.6."""
    import pickle

    views = {k: v if isinstance(v, tuple) else as_view(v) for k, v in views.items()}
    content, storages = _pickle(views, nested, legacy=True)
    parts = [pickle.dumps(LEGACY_MAGIC, 2), pickle.dumps(1001, 2)]
    parts += [pickle.dumps({"little_endian": True}, 2), content, pickle.dumps(list(storages), 2)]
    for storage in storages.values():
        parts += [struct.pack("<q", storage.size), storage.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def write_safetensors(path: Path, tensors: dict) -> Path:
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        kind = {"float32": "F32", "float16": "F16", "int64": "I64"}[str(array.dtype)]
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def _varint(number: int) -> bytes:
    result = b""
    while number > 0x7F:
        result += bytes([number & 0x7F | 0x80])
        number >>= 7
    return result + bytes([number])


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _blob(array: np.ndarray, form: str) -> bytes:
    data = np.ascontiguousarray(array, "<f4").tobytes()
    if form == "new":
        shape = b"".join(_varint(size) for size in array.shape)
        return _field(7, _field(1, shape)) + _field(5, data)
    count, number = (5, 6) if form == "c3d" else (4, 5)
    shape = (1,) * (count - array.ndim) + array.shape
    sizes = b"".join(_varint((i + 1) << 3) + _varint(size) for i, size in enumerate(shape))
    return sizes + _field(number, data)


def write_caffe(path: Path, layers: dict[str, list[np.ndarray]], form: str) -> Path:
    """`form`: "c3d" (the fork), "v1" (BVLC's second format), "v0" (its first) or "new"."""
    result = _field(1, b"net")
    for name, arrays in layers.items():
        blobs = [_blob(array, form) for array in arrays]
        if form == "new":
            layer = _field(1, name.encode()) + _field(2, b"Convolution")
            result += _field(100, layer + b"".join(_field(7, blob) for blob in blobs))
        elif form == "v0":
            layer = _field(1, name.encode()) + b"".join(_field(50, blob) for blob in blobs)
            result += _field(2, _field(1, layer) + _field(2, b"bottom"))
        else:
            layer = _field(2, b"bottom") + _field(4, name.encode()) + b"\x28\x04"
            result += _field(2, layer + b"".join(_field(6, blob) for blob in blobs))
    path.write_bytes(result)
    return path


def write_keras_2(path: Path, layers: dict[str, dict[str, np.ndarray]], **options) -> Path:
    """Keras 2's layout, or Keras 1's with `keras_1=True`, in a whole model with `whole=True`."""
    short = {"kernel": "W", "bias": "b"} if options.get("keras_1") else {}
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if options.get("whole") else file
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, weights in layers.items():
            group = root.create_group(layer)
            names = []
            for name, array in weights.items():
                full = f"{layer}_{short[name]}:0" if short else f"{layer}_1/{name}:0"
                group.create_dataset(full, data=array)
                names.append(full.encode())
            group.attrs["weight_names"] = names
    return path


def npz_bytes(tensors: dict[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **tensors)
    return stream.getvalue()
