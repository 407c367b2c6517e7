"""Reads NumPy's .npz files, checking the headers before an array is allocated."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterable

import numpy as np

from zoo.files.budget import Budget
from zoo.files.errors import FileFormatError

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(
    source: str | os.PathLike | bytes,
    names: Iterable[str] | None = None,
    *,
    label: object = None,
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file: only plain numbers and text, no pickled objects.

    Args:
        source: The file, or its bytes.
        names: The arrays to read; None for all.
        label: The name of the file in error messages; default: its path.

    Raises:
        FileFormatError: the file is damaged, declares more than it holds, or has pickled objects.
        KeyError: the file has no array of a requested name.

    Example: `read_npz("weights.npz")["conv1/kernel"]`
    """
    label = source if label is None and not isinstance(source, bytes) else label
    try:
        with NpzFile(source, label) as file:
            return {name: file[name] for name in (file.names if names is None else names)}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FileFormatError(
            f"An .npz file must be complete and written by NumPy. Received: {label}: {error}"
        ) from error


class NpzFile:
    """An open .npz file, whose arrays are read on demand: `with NpzFile(path) as file`.

    Args:
        source: The file, or its bytes.
        label: The name of the file in error messages; default: its path.
    """

    def __init__(self, source: str | os.PathLike | bytes, label: object = None):
        self.label = source if label is None else label
        length = len(source) if isinstance(source, bytes) else os.path.getsize(source)
        self._budget = Budget(self.label, length)
        try:
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            self._archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise FileFormatError(
                "An .npz file must be complete and written by NumPy. Received: "
                f"{self.label}: {error}"
            ) from error
        self._members = {
            info.filename.removesuffix(".npy"): info for info in self._archive.infolist()
        }

    @property
    def names(self) -> list[str]:
        """The arrays' names."""
        return list(self._members)

    def __enter__(self) -> NpzFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def __getitem__(self, name: str) -> np.ndarray:
        info = self._members[name]
        compressed = info.compress_type != zipfile.ZIP_STORED
        with self._archive.open(info) as stream:
            shape, fortran, dtype = self._header(stream, name)
            size = math.prod(shape) * dtype.itemsize
            self._budget.take(
                name, info.file_size, stored=info.compress_size, compressed=compressed
            )
            if size > info.file_size:
                raise FileFormatError(
                    "An array must be as large as its header says. Received: "
                    f"{name!r} of shape {shape} and type {dtype} in {info.file_size} bytes of "
                    f"{self.label}"
                )
            data = stream.read(size + 1)
        if len(data) != size:
            raise FileFormatError(
                "An array must be as large as its header says. Received: "
                f"{name!r} of shape {shape} and type {dtype}, {len(data)} bytes in {self.label}"
            )
        if not size:
            return np.empty(shape, dtype)
        array = np.frombuffer(bytearray(data), dtype)
        return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)

    def _header(self, stream, name: str):
        try:
            read = _HEADERS[np.lib.format.read_magic(stream)]
            shape, fortran, dtype = read(stream)
        except (ValueError, KeyError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
            raise FileFormatError(
                f"An .npz file must contain arrays written by NumPy. Received: {name!r} in "
                f"{self.label}: {error}"
            ) from error
        if dtype.hasobject or any(side < 0 for side in shape):
            raise FileFormatError(
                f"An .npz file must contain plain arrays. Received: {name!r} of shape {shape} and "
                f"type {dtype} in {self.label}"
            )
        return shape, fortran, dtype
