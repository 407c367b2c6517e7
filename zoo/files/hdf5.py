"""Reads HDF5 safely: no links out of the file, and no allocation of unchecked sizes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import h5py
import numpy as np

from zoo.files.budget import UNPACKED_LIMIT, Budget
from zoo.files.errors import FileFormatError
from zoo.files.hdf5_heaps import check_heaps

LONGEST_LIST = 1 << 20  # most names in one attribute


class Hdf5Reader:
    """Reads groups, data sets and attributes of an open HDF5 file, each checked first.

    Refused are soft and external links, data kept in other files, a group in two places, and
    data sets that declare more than is stored.
    """

    def __init__(self, file: h5py.File, label: object, length: int, longest_text: int):
        self.file = file
        self.label = label
        self._budget = Budget(label, length)
        self._longest_text = longest_text
        self._seen: set[int] = set()

    def child(self, group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
        """The object at a path below a group, or None; every step must be a hard link."""
        for name in path.split("/"):
            if not name:
                continue
            link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise self._refused(f"{group.name}/{name}", "a link to another place or file")
            group = group[name]
        return group

    def datasets(self, group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset]]:
        """Path and data set of each data set below a group, at any depth."""
        waiting = [("", group)]
        while waiting:
            path, held = waiting.pop()
            if isinstance(held, h5py.Group):
                self.once(held, path)
                below = [(f"{path}/{name}".lstrip("/"), self.child(held, name)) for name in held]
                waiting += reversed(below)
            elif isinstance(held, h5py.Dataset):
                yield path, held

    def once(self, held: h5py.Group | h5py.Dataset, path: str) -> None:
        """Refuse an object that has already been seen at another path."""
        address = h5py.h5o.get_info(held.id).addr
        if address in self._seen:
            raise self._refused(path or "/", "an object in two places")
        self._seen.add(address)

    def read(self, held: Any, name: str) -> np.ndarray:
        """The values of a data set, checked first."""
        self.check(held, name)
        return np.asarray(held[()])

    def check(self, held: Any, name: str) -> None:
        """Refuse a data set that cannot be read safely, before it is read."""
        if not isinstance(held, h5py.Dataset):
            raise self._refused(name, "no data set")
        if held.is_virtual or held.external:
            raise self._refused(name, "data of another file")
        if held.dtype.kind not in "biufcSV" and held.dtype != h5py.ref_dtype:
            raise self._refused(name, f"data of type {held.dtype}")
        if held.dtype.hasobject and held.dtype != h5py.ref_dtype:
            raise self._refused(name, "data of variable length")
        compressed = held.id.get_create_plist().get_nfilters() > 0
        size = (held.size or 0) * held.dtype.itemsize
        self._budget.take(name, size, stored=held.id.get_storage_size(), compressed=compressed)

    def text_list(self, group: h5py.Group, key: str) -> list[str]:
        """The list of names in an attribute."""
        attribute = group.attrs.get_id(key)
        count = int(np.prod(attribute.shape, dtype=object))
        label = f"attribute {key} of {group.name}"
        if not count:
            return []
        variable = attribute.dtype.kind == "O"  # several names may share one string in the heap
        size = count * (self._longest_text if variable else attribute.dtype.itemsize)
        if attribute.dtype.kind not in "OS" or count > LONGEST_LIST or size > UNPACKED_LIMIT:
            raise self._refused(label, f"{count} names of type {attribute.dtype}")
        if not variable:
            self._budget.take(label, size, stored=attribute.get_storage_size())
        values = np.ravel(group.attrs[key])
        return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values]

    def _refused(self, name: str, what: str) -> FileFormatError:
        return FileFormatError(
            "An HDF5 file must contain its data itself, each part once. Received: "
            f"{what} at {name!r} in {self.label}"
        )


@contextmanager
def open_hdf5(
    source: str | os.PathLike | BinaryIO, *, label: object = None, length: int | None = None
) -> Iterator[Hdf5Reader]:
    """Open an HDF5 file for safe reading.

    Args:
        source: The path, or an open file.
        label: The name of the file in error messages; default: its path.
        length: The length in bytes; required for an open file.

    Raises:
        FileFormatError: the file is damaged, links elsewhere or declares more than it holds.

    Example:
        with open_hdf5("w.h5") as held:
            arrays = {name: held.read(data, name) for name, data in held.datasets(held.file)}
    """
    label = source if label is None else label
    try:
        if length is None:
            length = os.path.getsize(source)
            with open(source, "rb") as stream:
                longest = check_heaps(stream, label)
        else:
            longest = check_heaps(source, label)
        with h5py.File(source, "r") as file:
            yield Hdf5Reader(file, label, length, longest)
    except FileFormatError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise FileFormatError(
            "The file must be complete HDF5; it is damaged or truncated. "
            f"Received: {label}: {error}"
        ) from error
