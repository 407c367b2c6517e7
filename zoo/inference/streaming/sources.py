"""What `zoo.predict` takes for a video: files, folders, patterns, addresses, pictures, arrays."""

from __future__ import annotations

import functools
import glob
import http.client
import os
import re
import tempfile
import urllib.parse
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from zoo.datasets.video.reading import Video, open_video
from zoo.datasets.video.source import PICTURES, VideoError
from zoo.inference.streaming.array_video import ArrayVideo
from zoo.weights.download import download

AnyVideo: TypeAlias = Video | ArrayVideo
SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)


def find_videos(what: Any) -> list[AnyVideo]:
    """The videos that are meant, opened: a file that cannot be read is told before any work.

    Args:
        what: a video file, a picture, a folder of videos, a folder of numbered pictures (one
            video), a pattern such as "clips/*.mp4", an http or https address, an array
            (time, height, width, 3) or (height, width, 3), an open `Video`, or a list of these.

    Example: `find_videos(["one.mp4", "more/*.avi"])`
    """
    if isinstance(what, (Video, ArrayVideo)):
        return [what]
    if isinstance(what, (str, os.PathLike)):
        return _named(os.fspath(what))
    if isinstance(what, np.ndarray) or hasattr(what, "__array__"):
        return [ArrayVideo(np.asarray(what))]
    if isinstance(what, Iterable):
        found = [video for item in what for video in find_videos(item)]
        if not found:
            raise VideoError("At least one video must be given. Received: none")
        return found
    raise TypeError(
        "A video must be a path, an address, an array (time, height, width, 3), or a list of them. "
        f"Received: {type(what).__name__}"
    )


def video_name(video: AnyVideo) -> str:
    """A name for the video's results: that of its file without what ends it."""
    path = urllib.parse.urlparse(video.path).path if "://" in video.path else video.path
    name = os.path.basename(path.rstrip("/")).rpartition("::")[2]
    return re.sub(r"[^\w.\-]+", "_", Path(name).stem).strip("._") or "video"


def sound_of(video: AnyVideo) -> tuple[str, float] | None:
    """The file with the video's sound and the second at which the video begins in it."""
    if isinstance(video, ArrayVideo):
        return None
    path = getattr(video, "file", video.path)
    if not os.path.isfile(path):
        return None
    return path, float(video.source_times[video.source_indices[0]])


def _named(name: str) -> list[AnyVideo]:
    if "://" in name:
        return [_fetched(name)]
    if os.path.isdir(name):
        return _of_folder(name)
    if os.path.isfile(name):
        return [_of_file(name)]
    if glob.has_magic(name) and "::" not in name:
        files = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
        if not files:
            raise VideoError(f"A pattern must fit at least one file. Received: {name}")
        return [_of_file(path) for path in files]
    return [open_video(name)]


def _of_file(path: str) -> AnyVideo:
    if Path(path).suffix.lower() not in PICTURES:
        return open_video(path)
    picture = cv2.imread(path, cv2.IMREAD_COLOR)
    if picture is None:
        raise VideoError(
            "A picture must be whole and of a known format. "
            f"Received: {path} of {os.path.getsize(path)} bytes"
        )
    return ArrayVideo(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), path=path)


def _of_folder(folder: str) -> list[AnyVideo]:
    entries = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    files = [path for path in entries if path.is_file()]
    videos = [path for path in files if path.suffix.lower() in SUFFIXES]
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    if videos:
        if others := len(entries) - len(videos):
            warnings.warn(
                f"{folder}: {len(videos)} videos; {others} other entries are left out.",
                stacklevel=2,
            )
        return [open_video(path) for path in videos]
    if pictures:
        if any(not re.search(r"\d", path.stem) for path in pictures):
            raise VideoError(
                "The pictures of a folder are the frames of one video and must end in their "
                f"number; a pattern such as {os.path.join(folder, '*' + pictures[0].suffix)} takes "
                f"each for itself. Received: {folder} with {len(pictures)} pictures"
            )
        return [open_video(folder)]
    raise VideoError(
        "A folder must hold videos, or numbered pictures that are the frames of one. "
        f"Received: {folder} with {len(entries)} entries, neither among them"
    )


@functools.cache
def _downloads() -> tempfile.TemporaryDirectory:
    """Where videos from the web are kept until the program ends."""
    return tempfile.TemporaryDirectory(prefix="zoo-videos-")


def _fetched(address: str) -> Video:
    if not address.startswith(("http://", "https://")):
        raise VideoError(
            "An address must begin with http:// or https:// (a file) or rtsp://, rtmp://, tcp:// "
            f"or udp:// (a live stream). Received: {address}"
        )
    name = os.path.basename(urllib.parse.urlparse(address).path) or "video"
    folder = Path(tempfile.mkdtemp(dir=_downloads().name))
    try:
        path = download(address, folder / name)
    except (OSError, http.client.HTTPException) as error:
        raise VideoError(
            f"An address must give a whole video. Received: {address}: {error or type(error)}"
        ) from error
    video = _of_file(str(path))
    video.path, video.file = address, str(path)
    return video
