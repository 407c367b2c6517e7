"""Serves viewer pages on 127.0.0.1, with the byte-range requests that seeking needs."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zoo.visualize.viewer import FOLDER, PAGE, read_viewer, viewer_page

LOCAL = ("127.0.0.1", "localhost")
PIECE = 1 << 20  # bytes


def serve(folders: Sequence[str | os.PathLike], port: int = 0) -> ThreadingHTTPServer:
    """Create a server, not yet running, for the viewers in `folders`; several are side by side.

    Args:
        folders: Folders written by `zoo.predict(..., output=FOLDER)`.
        port: The port; 0 picks a free one, given by `server.server_port`.

    Example: `serve(["out"]).serve_forever()`.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"`port` must be from 0 to 65535. Received: port={port}")
    folders = [Path(folder) for folder in folders]
    missing = [str(f) for f in folders if not (f / FOLDER / "data.js").is_file()]
    if missing or not folders:
        raise ValueError(
            "A folder must be one that `zoo predict VIDEO --output FOLDER` wrote. "
            f"Received: {missing or 'no folder'}{_of_several(missing)}"
        )
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, folders=folders))
    except OSError as error:
        raise OSError(
            error.errno,
            f"`port` must be free; 0 picks one. Received: port={port}, {error.strerror}",
        ) from error


def _of_several(folders: Sequence[str]) -> str:
    """Names of the videos' own folders in the output folder of several videos."""
    inside = sorted(
        str(page.parent.parent) for f in folders for page in Path(f).glob(f"*/{FOLDER}/data.js")
    )
    if not inside:
        return ""
    more = f" and {len(inside) - 5} more" if len(inside) > 5 else ""
    return f" with several predictions; name one or two of {', '.join(inside[:5])}{more}"


class _Handler(SimpleHTTPRequestHandler):
    """`/` is the page; `/NUMBER/...` a folder's files; `/NUMBER/viewer/original` its video."""

    def __init__(self, *arguments, folders: Sequence[Path], **options):
        self.folders = folders
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, *arguments) -> None:
        """Do not log requests."""

    def _answer(self, body: bool) -> None:
        # Refuse another site whose host name resolves to this machine (DNS rebinding).
        if self.headers.get("Host", "").rsplit(":", 1)[0] not in LOCAL:
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        address = unquote(urlsplit(self.path).path)
        if address in ("/", f"/{PAGE}"):
            self._send(self._page(), "text/html; charset=utf-8", body)
            return
        path = self._file(address)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._send_file(path, body)

    def _page(self) -> bytes:
        viewers = [f"{number}/{FOLDER}" for number in range(len(self.folders))]
        title = " and ".join(folder.resolve().name for folder in self.folders)
        return viewer_page(viewers, title).encode()

    def _file(self, address: str) -> Path | None:
        match = re.fullmatch(r"/(\d+)/(.+)", address)
        if match is None or int(match[1]) >= len(self.folders):
            return None
        folder = self.folders[int(match[1])].resolve()
        if match[2] == f"{FOLDER}/original":
            return _original(folder)
        path = (folder / match[2]).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None

    def _send(self, data: bytes, kind: str, body: bool) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _send_file(self, path: Path, body: bool) -> None:
        total = path.stat().st_size
        first, last = 0, total - 1
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if asked and (asked[1] or asked[2]):
            first = int(asked[1]) if asked[1] else max(0, total - int(asked[2]))
            last = min(int(asked[2]), last) if asked[1] and asked[2] else last
            if first > last:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{total}")
                self.end_headers()
                return
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
        else:
            self.send_response(HTTPStatus.OK)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self.send_header("Content-Type", kind)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if not body:
            return
        with path.open("rb") as file:
            file.seek(first)
            left = last - first + 1
            try:
                while left > 0 and (piece := file.read(min(PIECE, left))):
                    self.wfile.write(piece)
                    left -= len(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the browser closed the connection, to seek elsewhere


def _original(folder: Path) -> Path | None:
    """The video or picture named in a viewer's data, or None if missing or of another type."""
    about = read_viewer(folder)
    if not about["original"]:
        return None
    path = (folder / FOLDER / unquote(about["original"])).resolve()
    kind = mimetypes.guess_type(path.name)[0] or ""
    return path if path.is_file() and kind.startswith(("video/", "image/")) else None
