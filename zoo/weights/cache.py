"""The folder in which downloaded weight files are kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from zoo.weights.download import download
from zoo.weights.errors import WeightsError
from zoo.weights.package import file_of_wheel, installed_file
from zoo.weights.record import Record
from zoo.weights.records import RECORDS
from zoo.weights.trust import check_whole, digest_of, trust, trusted, verify

_INCOMING = ".incoming"  # where downloads wait until they are whole and checked
SHIPPED = Path(__file__).parent / "shipped"
# The name that keras.applications gives these weights.
_ALIASES = {"imagenet": "resnet50_imagenet_keras_no_top"}


def cache_folder() -> Path:
    """`$ZOO_WEIGHTS`, or `zoo/weights` in the user's cache folder."""
    if folder := os.environ.get("ZOO_WEIGHTS"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "zoo" / "weights"


def locate(source: str | Path, architecture: str | None = None) -> tuple[Path, Record | None]:
    """The file that a path or a record's name stands for, downloaded if need be.

    Args:
        source: A path (of a wheel: the weight file inside it), or the name of one of
            `zoo.weights.RECORDS`; "imagenet" is ResNet-50 of keras.applications without its
            classifier.
        architecture: What a record must be of; told before anything is downloaded.

    Returns:
        The path, and the record if a name was given.
    """
    record = RECORDS.get(_ALIASES.get(str(source), str(source)))
    if record is None:
        path = Path(source).expanduser()
        if path.suffix == ".whl" and path.is_file():
            return file_of_wheel(path, cache_folder() / path.stem), None
        if path.exists() or path.with_name(path.name + ".index").exists():
            return path, None
        raise WeightsError(
            "`weights` must be an existing file or the name of a record; `zoo weights` lists "
            f"them: {', '.join(RECORDS)}. Received: {source}"
        )
    if architecture not in (None, record.architecture):
        fitting = [name for name, each in RECORDS.items() if each.architecture == architecture]
        raise WeightsError(
            f"The weights must be of a {architecture}, such as {', '.join(fitting)}. "
            f"Received: {source}, which is a {record.architecture}"
        )
    return fetch(record), record


def fetch(record: Record, folder: Path | None = None) -> Path:
    """The path of a record's file, which is downloaded unless it is there.

    A download enters the folder when it has its published checksum or, where none is published,
    the stated size and all tensors. Checksums of the first use are kept in `sha256.json`; a file
    that differs later is an error.

    Args:
        record: The record.
        folder: Where files are kept; None for `cache_folder()/<name of the record>`.
    """
    if record.shipped:
        return SHIPPED / record.file
    folder = folder or cache_folder() / record.name
    target = folder / record.file
    if target.exists() or target.with_name(target.name + ".index").exists():
        verify(folder, record)
        return target
    if record.package:
        return _from_package(record, folder)
    if not record.urls:
        raise WeightsError(
            f"{record.name} cannot be downloaded by a program. Get {record.file} from "
            f"{record.page} and put it at {target}. Received: weights={record.name!r}"
        )
    _download(record, folder)
    return target


def _download(record: Record, folder: Path) -> None:
    incoming, before = folder / _INCOMING, trusted(folder)
    digests = record.digests or ("",) * len(record.urls)
    for url, name, digest in zip(record.urls, record.file_names, digests):
        digest = digest or (f"sha256:{before[name]}" if name in before else "")
        try:
            if not (incoming / name).exists():
                download(url, incoming / name, digest=digest)
        except OSError as error:
            raise WeightsError(
                f"{url} must be within reach, or {name} at {folder / name}: get it from "
                f"{record.page or url} and put it there. Received: {error}"
            ) from error
    if not all(digests):
        try:
            check_whole(record, incoming / record.file)
        except WeightsError:
            shutil.rmtree(incoming)
            raise
    trust(folder, {name: digest_of(incoming / name) for name in record.file_names})
    for name in record.file_names:  # the index of a checkpoint, which tells that it is there, last
        os.replace(incoming / name, folder / name)
    incoming.rmdir()


def _from_package(record: Record, folder: Path) -> Path:
    if (path := installed_file(record)) is not None:
        return path
    for wheel in sorted(folder.glob("*.whl")):
        return file_of_wheel(wheel, folder, record)
    raise WeightsError(
        f"The weights {record.name} are in the Python package {record.package}: install it "
        f"(pip install {record.package}), or put its wheel into {folder}. "
        "Received: no such package"
    )
