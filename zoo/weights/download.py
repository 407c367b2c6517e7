"""Downloads that can be resumed, and whose checksums are verified."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from zoo.weights.errors import WeightsError

_BLOCK = 1 << 16


def download(
    url: str, path: Path, *, digest: str = "", timeout: float = 60.0, progress: bool = True
) -> Path:
    """Download a file to `path`; an interrupted download is resumed by the next call.

    Args:
        url: An http, https or file URL.
        path: Path of the file; until it is complete and checked, it is called `<name>.part`.
        digest: `sha256:...`, `sha1:...` or `md5:...`, complete or its beginning; "" for no check.
        timeout: Seconds without data after which the connection is given up.
        progress: Whether to show a progress bar.

    Returns:
        `path`.

    Raises:
        OSError: The download failed or was interrupted.
        WeightsError: The file has another checksum.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "video-attention-zoo"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is left to fetch
            raise OSError(f"{url} answered {error.code} {error.reason}") from error
        response = None
    if response is not None:
        try:
            with response:
                _receive(response, partial, have, path.name, progress)
        except http.client.HTTPException as error:
            raise OSError(f"the connection ended early ({error!r}); try again to resume") from error
    _check(partial, digest, url)
    os.replace(partial, path)
    return path


def _receive(response, partial: Path, have: int, name: str, progress: bool) -> None:
    resumed = have > 0 and getattr(response, "status", 200) == 206
    length = response.headers.get("Content-Length")
    start = have if resumed else 0
    total = start + int(length) if length else None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with (
        Progress(*columns, TransferSpeedColumn(), disable=not progress) as bar,
        partial.open("ab" if resumed else "wb") as file,
    ):
        task = bar.add_task(name, total=total, completed=start)
        while block := response.read(_BLOCK):
            file.write(block)
            bar.advance(task, len(block))
    got = partial.stat().st_size
    if total is not None and got < total:
        raise OSError(f"the connection ended after {got} of {total} bytes; try again to resume")


def _check(partial: Path, digest: str, url: str) -> None:
    if not digest:
        return
    algorithm, expected = digest.split(":", 1)
    state = hashlib.new(algorithm)
    with partial.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    actual = state.hexdigest()
    if not actual.startswith(expected):
        partial.unlink()
        raise WeightsError(
            f"A download must have its published checksum; it was deleted. Received: {url} with "
            f"{algorithm} {actual}, expected {expected}"
        )
