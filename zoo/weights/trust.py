"""Checks that downloaded weight files are complete, and that cached ones do not change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from zoo.files.atomic import write_text
from zoo.weights.errors import WeightsError
from zoo.weights.names.origin import recognise
from zoo.weights.origins import ORIGINS
from zoo.weights.reader import read_weights
from zoo.weights.record import Record

TRUSTED = "sha256.json"  # in a record's folder: file name -> checksum of the first download
_TOLERANCE = 0.2  # sizes in records are approximate
_CLASSIFIER = 6  # most tensors that a file without the classifier lacks


def trusted(folder: Path) -> dict[str, str]:
    """The checksums of the files in a record's folder at first use."""
    path = folder / TRUSTED
    try:
        held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {str(name): str(digest) for name, digest in held.items()}
    except (ValueError, AttributeError) as error:
        raise WeightsError(
            f"{TRUSTED} must hold checksums; delete it to trust the current files. "
            f"Received: {path}: {error}"
        ) from error


def trust(folder: Path, files: dict[str, str]) -> None:
    """Store the checksums of files that are used for the first time."""
    write_text(folder / TRUSTED, json.dumps({**trusted(folder), **files}, indent=1, sort_keys=True))


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file."""
    state = hashlib.new(algorithm)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def verify(folder: Path, record: Record) -> None:
    """Compare a record's files with their checksums, published or from first use.

    Raises:
        WeightsError: A file has changed, or is not the published one.
    """
    known, seen = trusted(folder), {}
    published = dict(zip(record.file_names, record.digests))
    for name in record.file_names:
        path = folder / name
        if not path.is_file():
            continue
        seen[name] = digest_of(path)
        expected = f"sha256:{known[name]}" if name in known else published.get(name, "")
        algorithm, _, wanted = expected.partition(":")
        actual = seen[name] if algorithm in ("", "sha256") else digest_of(path, algorithm)
        if not actual.startswith(wanted):
            raise WeightsError(
                "A weight file in the cache must have its published checksum, or that of its first "
                f"use; delete it to download it again. Received: {path} with {algorithm} {actual}, "
                f"expected {wanted}"
            )
    if new := {name: digest for name, digest in seen.items() if name not in known}:
        trust(folder, new)


def check_whole(record: Record, path: Path) -> None:
    """Check that a file without a published checksum is complete and matches its record.

    Args:
        record: The record.
        path: The downloaded file.

    Raises:
        WeightsError: The size differs, the file cannot be read, or tensors are missing.
    """
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    if record.size and abs(size - record.size) > _TOLERANCE * record.size:
        raise WeightsError(
            f"{record.name} must have about {record.size} bytes. Received: {size}, so the download "
            "is incomplete or another file"
        )
    tensors = read_weights(path).tensors
    origin, prefix = recognise(tensors, ORIGINS, record.origin)
    missing = [rule.source for rule in origin.rules(None) if prefix + rule.source not in tensors]
    if origin.name != record.origin or len(missing) > (0 if record.classes else _CLASSIFIER):
        raise WeightsError(
            f"{record.name} must hold all tensors of {record.origin}. Received: {len(tensors)} "
            f"tensors of {origin.name} without {missing[:5]}"
        )
