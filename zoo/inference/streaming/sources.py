"""Video sources for `zoo.predict`: files, folders, patterns, addresses, pictures, arrays."""

from __future__ import annotations

import functools
import glob
import http.client
import os
import re
import tempfile
import urllib.parse
import warnings
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from zoo.datasets.listing.class_folders import VIDEOS
from zoo.datasets.video.animation_source import is_animated_webp
from zoo.datasets.video.pictures import pictures_in, read_picture
from zoo.datasets.video.reading import Video, open_video
from zoo.datasets.video.source import PICTURES, VideoError
from zoo.inference.streaming.array_video import ArrayVideo
from zoo.weights.download import download

AnyVideo: TypeAlias = Video | ArrayVideo
ROUNDED = 0.01  # smaller deviations from square pixels are due to rounding sizes to integers


def find_videos(
    what: Any, *, fps: float | None = None, failed: list[str] | None = None
) -> list[AnyVideo]:
    """Find and open videos, so that an unreadable file is reported before any work starts.

    Args:
        what: a video file, a picture, a folder of videos, a folder of numbered pictures (one
            video), a pattern such as "clips/*.mp4", an http or https address, an array
            (time, height, width, 3) or (height, width, 3), an open `Video`, or a list of these.
        fps: frame rate for picture folders, streams without a container and arrays, which do not
            state one; it does not apply to other videos.
        failed: receives the reason for each of several videos that cannot be opened; with None,
            the first of them raises an error. A single video always does.

    Example: `find_videos(["one.mp4", "more/*.avi"])`
    """
    if isinstance(what, (Video, ArrayVideo)):
        return [what]
    if isinstance(what, (str, os.PathLike)):
        return _named(os.fspath(what), fps, failed)
    if isinstance(what, np.ndarray) or hasattr(what, "__array__"):
        return [ArrayVideo(np.asarray(what), fps=fps)]
    if isinstance(what, Iterable):
        items = list(what)
        found = _openable(lambda item: find_videos(item, fps=fps, failed=failed), items, failed)
        if not items:
            raise VideoError("At least one video must be given. Received: none")
        return found
    raise TypeError(
        "A video must be a path, an address, an array (time, height, width, 3), or a list of them. "
        f"Received: {type(what).__name__}"
    )


def video_name(video: AnyVideo) -> str:
    """A name for the video's results: its file name without the extension."""
    path = urllib.parse.urlparse(video.path).path if "://" in video.path else video.path
    name = os.path.basename(path.rstrip("/")).rpartition("::")[2]
    return re.sub(r"[^\w.\-]+", "_", Path(name).stem).strip("._") or "video"


def sound_of(video: AnyVideo) -> tuple[str, float] | None:
    """The file with the video's sound, and the time in seconds at which the video begins in it."""
    if isinstance(video, ArrayVideo):
        return None
    path = getattr(video, "file", video.path)
    if not os.path.isfile(path):
        return None
    return path, float(video.index.times[video.source_indices[0]])


def film_options(video: AnyVideo, size: tuple[int, int], *, sound: bool = True) -> dict[str, Any]:
    """What an output film keeps of its video: timestamps, display aspect ratio and sound.

    Args:
        video: the open video.
        size: (height, width) of the film.
        sound: whether to keep the sound.

    Returns:
        Arguments for `VideoWriter`, except height and width.
    """
    aspect = video.sample_aspect * Fraction(video.width * size[0], video.height * size[1])
    return {
        "fps": video.fps,
        "times": video.times,
        "sample_aspect": 1 if abs(aspect - 1) < ROUNDED else aspect,
        "sound": sound_of(video) if sound else None,
    }


def _openable(
    opened: Callable[[Any], list[AnyVideo]], items: Sequence[Any], failed: list[str] | None
) -> list[AnyVideo]:
    """The videos that can be opened; the reasons of the others are appended to `failed`."""
    found = []
    for item in items:
        try:
            found += opened(item)
        except VideoError as error:
            if failed is None or len(items) == 1:
                raise
            failed.append(str(error))
    return found


def _named(name: str, fps: float | None, failed: list[str] | None) -> list[AnyVideo]:
    if "://" in name:
        return [_fetched(name, fps)]
    if os.path.isdir(name):
        return _of_folder(name, fps, failed)
    if os.path.isfile(name):
        return [_of_file(name, fps)]
    if glob.has_magic(name) and "::" not in name:
        found = sorted(glob.glob(name, recursive=True))
        if "**" in name:  # it matches every folder, too
            found = [path for path in found if os.path.isfile(path)]
        if not found:
            raise VideoError(f"A pattern must match at least one file. Received: {name}")
        return _openable(lambda path: _named(path, fps, failed), found, failed)
    return [open_video(name)]


def _of_file(path: str, fps: float | None) -> AnyVideo:
    if Path(path).suffix.lower() not in PICTURES or is_animated_webp(path):
        video = open_video(path)
        takes_rate = fps is not None and not video.states_rate
        return open_video(path, folder_fps=fps) if takes_rate else video
    picture = read_picture(path)
    if (count := pictures_in(path)) > 1:
        raise VideoError(
            "A picture must be a single one; convert an animation or several pages to a video, or "
            f"to a folder of numbered pictures. Received: {path} with {count} pictures"
        )
    return ArrayVideo(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), path=path)


def _of_folder(folder: str, fps: float | None, failed: list[str] | None) -> list[AnyVideo]:
    entries = sorted(path for path in Path(folder).iterdir() if not path.name.startswith("."))
    files = [path for path in entries if path.is_file()]
    videos = [path for path in files if path.suffix.lower() in VIDEOS]
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    if videos:
        if others := len(entries) - len(videos):
            warnings.warn(
                f"{folder}: {len(videos)} videos; {others} other entries are ignored.",
                stacklevel=2,
            )
        return _openable(lambda path: [_of_file(path, fps)], videos, failed)
    if pictures:
        if any(not re.search(r"\d", path.stem) for path in pictures):
            raise VideoError(
                "The pictures of a folder are the frames of one video and must end in their "
                f"number; a pattern such as {os.path.join(folder, '*' + pictures[0].suffix)} takes "
                f"each for itself. Received: {folder} with {len(pictures)} pictures"
            )
        if others := len(entries) - len(pictures):
            warnings.warn(
                f"{folder}: {len(pictures)} pictures, the frames of a video; {others} other "
                "entries are ignored.",
                stacklevel=2,
            )
        return [open_video(folder, folder_fps=fps)]
    raise VideoError(
        "A folder must hold videos, or numbered pictures that are the frames of one. "
        f"Received: {folder} with {len(entries)} entries, neither among them"
    )


@functools.cache
def _downloads() -> tempfile.TemporaryDirectory:
    """Folder for downloaded videos, deleted when the program ends."""
    return tempfile.TemporaryDirectory(prefix="zoo-videos-")


def _fetched(address: str, fps: float | None) -> Video:
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
    video = _of_file(str(path), fps)
    video.path, video.file = address, str(path)
    return video
