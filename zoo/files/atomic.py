"""Atomic writing: a file exists complete or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path to write to; it is renamed to `path` if the block succeeds.

    The file is flushed to disk before it is renamed, so that not even a power failure leaves half
    of it. The temporary name keeps the suffix: Keras and NumPy infer the format from it.

    Example:
        with atomic_path("index.json") as part:
            part.write_text("{}")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = f"{os.getpid()}-{threading.get_ident()}"  # no two writers share a name
    part = path.with_name(f".{path.stem}.{writer}.part{path.suffix}")
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str | Iterable[str]) -> None:
    """Write a text, or lines from an iterator, in UTF-8; the file appears only when complete."""
    with atomic_path(path) as part, open(part, "w", encoding="utf-8") as file:
        if isinstance(text, str):
            file.write(text)
        else:
            file.writelines(f"{line}\n" for line in text)


def remove_partial(folder: str | os.PathLike) -> None:
    """Delete the half-written files that killed processes left in a folder."""
    for path in Path(folder).glob(".*.part*"):
        path.unlink(missing_ok=True)
