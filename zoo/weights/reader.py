"""Reading weight files of all supported formats, recognised by content rather than by name."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.files.npz import read_npz
from zoo.weights.errors import WeightsError
from zoo.weights.formats.caffe_file import read_caffe
from zoo.weights.formats.keras_file import read_keras_archive, read_keras_h5
from zoo.weights.formats.safetensors_file import read_safetensors
from zoo.weights.formats.tensorflow_checkpoint import checkpoint_prefix, read_checkpoint
from zoo.weights.formats.torch_file import read_torch_legacy, read_torch_zip

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TENSORFLOW_TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # the last bytes of an index or v1 file
_PARTS = ".safetensors, .npz, .h5, .keras, .pth, .pt, .caffemodel, TensorFlow checkpoint"

_Found = tuple[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class WeightFile:
    """The tensors of a weight file, by their names in it.

    Args:
        path: The file.
        format: Name of the format.
        tensors: Name -> array.
    """

    path: Path
    format: str
    tensors: dict[str, np.ndarray]


def read_weights(path: str | Path) -> WeightFile:
    """Read a weight file of any supported format.

    Args:
        path: The file; for a TensorFlow checkpoint its prefix, its `.index` file or its folder.

    Returns:
        A `WeightFile`. Large files are mapped into memory, not copied.

    Raises:
        WeightsError: The file is damaged, of an unknown format, links to other files, or declares
            tensors larger than its content; the error names the tensor.

    Example: `read_weights("resnet50-0676ba61.pth").tensors["conv1.weight"].shape`
    """
    path = Path(path).expanduser()
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
        if len(indices) != 1:
            raise WeightsError(
                "A folder must hold one TensorFlow checkpoint (one .index file). "
                f"Received: {path} with {len(indices)}"
            )
        path = indices[0]
    prefix = checkpoint_prefix(path)
    if prefix.with_name(prefix.name + ".index").exists():
        return WeightFile(path, *_whole(path, lambda: ("tensorflow", read_checkpoint(path))))
    if not path.exists():
        raise WeightsError(f"The weight file must exist. Received: {path}")
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(512)
        stream.seek(max(size - 8, 0))
        tail = stream.read(8)
    _refuse_impostors(head, path, size)
    return WeightFile(path, *_whole(path, lambda: _read(path, head, tail, size)))


def _whole(path: Path, read: Callable[[], _Found]) -> _Found:
    """The format and the tensors that `read` returns; any failure is reported as the file's."""
    try:
        return read()
    except WeightsError:
        raise
    except Exception as error:  # a damaged file can raise any error
        what = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise WeightsError(
            f"A weight file must be whole and hold what it declares. Received: {path}: {what}"
        ) from error


def _read(path: Path, head: bytes, tail: bytes, size: int) -> _Found:
    if head.startswith(_HDF5):
        return read_keras_h5(path)
    if head.startswith(b"PK\x03\x04"):
        return _read_zip(path)
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        return "torch-legacy", read_torch_legacy(path)
    if tail == _TENSORFLOW_TABLE:
        return "tensorflow", read_checkpoint(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 28:
        return "safetensors", read_safetensors(path)
    if path.suffix == ".caffemodel" or head[:1] in (b"\x0a", b"\x12"):
        return "caffe", read_caffe(path)
    if b"ustar" in head[257:262]:
        raise WeightsError(
            "A .tar archive must be unpacked first; PyTorch files from before version 0.1.10 must "
            f"be saved again with a later version. Received: {path}"
        )
    raise WeightsError(
        f"A weight file must be one of {_PARTS}. Received: {path}, {size} bytes, "
        f"which begins {head[:16]!r}"
    )


def _refuse_impostors(head: bytes, path: Path, size: int) -> None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if size == 0:
        raise WeightsError(f"A weight file must not be empty. Received: {path}")
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        raise WeightsError(
            "A weight file must hold numbers; this is a web page saved under its name (a login, "
            f"confirmation or error page), so download the file itself. Received: {path}"
        )
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(
            "A weight file must hold numbers; this is a Git LFS pointer, so run `git lfs pull`. "
            f"Received: {path}"
        )


def _read_zip(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise WeightsError(
            "The file must be complete; it begins as an archive and ends too early, so download "
            f"it again. Received: {path}, {path.stat().st_size} bytes"
        ) from error
    if "model.weights.h5" in names:
        return "keras3", read_keras_archive(path)
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        if any(name.endswith("/constants.pkl") for name in names):
            raise WeightsError(
                "A TorchScript file is a program; save `model.state_dict()` where it was made. "
                f"Received: {path}"
            )
        return "torch-zip", read_torch_zip(path)
    if names and all(name.endswith(".npy") for name in names):
        return "npz", read_npz(path)
    raise WeightsError(
        "An archive must be of PyTorch, NumPy or Keras; unpack others first. "
        f"Received: {path} with {names[:5]}"
    )


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file or, for a TensorFlow checkpoint, of its .index and .data files."""
    path = Path(path)
    prefix = checkpoint_prefix(path)
    files = [path] if path.is_file() else []
    if path.is_dir():
        prefix = checkpoint_prefix(next(iter(sorted(path.glob("*.index")))))
    if prefix.with_name(prefix.name + ".index").exists():
        files = sorted(prefix.parent.glob(prefix.name + ".*"))
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
