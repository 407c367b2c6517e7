"""Reading files, or parts of them, from a folder on this machine, on S3 or on a web server."""

from __future__ import annotations

import contextlib
import http.client
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path


def open_storage(root: str | os.PathLike) -> LocalStorage | WebStorage | CloudStorage:
    """The reader for a folder's address: a path, http(s)://, s3:// or another scheme.

    `http://` and `https://` need no other library. Other addresses are read with tensorflow-io
    (see `docs/prepare.md`) or, if that is not installed, with fsspec (`pip install s3fs` for
    s3://).
    """
    root = os.fspath(root)
    if root.startswith(("http://", "https://")):
        return WebStorage(root)
    if "://" in root and not root.startswith("file://"):
        return CloudStorage(root)
    return LocalStorage(root.removeprefix("file://"))


class LocalStorage:
    """Files in a folder on this machine."""

    def __init__(self, root: str):
        self.root = root
        self._files: dict[tuple[int, str], int] = {}

    def read(self, name: str) -> bytes:
        """A whole file."""
        return Path(self.root, name).read_bytes()

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a file; fewer at its end."""
        key = (os.getpid(), name)
        if key not in self._files:
            self._files[key] = os.open(os.path.join(self.root, name), os.O_RDONLY)
        return os.pread(self._files[key], length, offset)

    def size(self, name: str) -> int | None:
        """Bytes of a file."""
        return os.path.getsize(os.path.join(self.root, name))

    def close(self) -> None:
        """Close the files that are open."""
        while self._files:
            (process, _), file = self._files.popitem()
            if process == os.getpid():
                os.close(file)

    def __del__(self):
        self.close()

    def __getstate__(self):
        return {"root": self.root, "_files": {}}


class WebStorage:
    """Files in a folder on a web server; parts are read by HTTP range requests."""

    def __init__(self, root: str):
        self.root = root.rstrip("/")

    def _get(self, name: str, method: str = "GET", **headers: str):
        request = urllib.request.Request(f"{self.root}/{name}", headers=headers, method=method)
        try:
            return urllib.request.urlopen(request, timeout=60)
        except urllib.error.URLError as error:
            raise OSError(f"{self.root}/{name} must be readable. Received: {error}") from error

    def _body(self, name: str, answer) -> bytes:
        try:
            return answer.read()
        except (http.client.HTTPException, OSError) as error:
            raise OSError(
                f"{self.root}/{name} must arrive completely; the connection ended early, so try "
                f"again. Received: {error}"
            ) from error

    def read(self, name: str) -> bytes:
        """A whole file."""
        with self._get(name) as answer:
            return self._body(name, answer)

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a file; fewer at its end."""
        with self._get(name, Range=f"bytes={offset}-{offset + length - 1}") as answer:
            data = self._body(name, answer)
            # A server without support for ranges sends the whole file.
            return data if answer.status == 206 else data[offset : offset + length]

    def size(self, name: str) -> int | None:
        """Size of a file in bytes, if the server states it."""
        with self._get(name, "HEAD") as answer:
            length = answer.headers.get("Content-Length")
            return None if length is None else int(length)


class CloudStorage:
    """Files in a folder at an address that tensorflow-io or fsspec supports."""

    def __init__(self, root: str):
        self.root = root.rstrip("/")
        self._open, self._size = _filesystem(root)
        self._local = threading.local()

    def read(self, name: str) -> bytes:
        """A whole file."""
        with _named(f"{self.root}/{name}"), self._open(f"{self.root}/{name}") as file:
            return file.read()

    def read_range(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a file; fewer at its end."""
        files = self._local.__dict__.setdefault("files", {})
        with _named(f"{self.root}/{name}"):
            if name not in files:
                files[name] = self._open(f"{self.root}/{name}")
            files[name].seek(offset)
            return files[name].read(length)

    def size(self, name: str) -> int | None:
        """Bytes of a file."""
        with _named(f"{self.root}/{name}"):
            return self._size(f"{self.root}/{name}")

    def __getstate__(self):
        return {"root": self.root}

    def __setstate__(self, state):
        self.__init__(state["root"])


@contextlib.contextmanager
def _named(url: str) -> Iterator[None]:
    """Turn the various errors of TensorFlow and the cloud libraries into OSError."""
    try:
        yield
    except Exception as error:
        raise OSError(f"{url} must be readable. Received: {error}") from error


def _filesystem(root: str):
    """Two functions: one opens a file for reading, the other returns its size."""
    try:
        import tensorflow as tf
        import tensorflow_io  # noqa: F401  (registers s3:// and others with TensorFlow)

        return (lambda url: tf.io.gfile.GFile(url, "rb")), (
            lambda url: tf.io.gfile.stat(url).length
        )
    except ImportError as missing:
        try:
            import fsspec
        except ImportError:
            raise OSError(
                "Reading from the cloud needs tensorflow-io, or fsspec with the driver for the "
                f"address (for s3:// `pip install s3fs`). Received: {root} ({missing})"
            ) from missing
        system, _ = fsspec.core.url_to_fs(root)
        return (lambda url: system.open(url, "rb")), system.size
