"""The viewer: a web page that plays a video with the model's saliency drawn over it."""

from __future__ import annotations

import base64
import html
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from zoo.datasets.video.source import PICTURES
from zoo.files.atomic import write_text
from zoo.visualize.pages import asset, page

PAGE, FOLDER = "index.html", "viewer"
LONGEST_SIDE = 96  # of the page's maps, in pixels; the browser enlarges them smoothly
NOT_IN_BROWSERS = (".tif", ".tiff")
CHUNK = 50  # maps per file: the page loads the files around the current frame


@dataclass(frozen=True)
class Series:
    """A timeline curve: one value per predicted frame, NaN where there is none."""

    name: str
    values: Sequence[float]
    unit: str = ""
    meaning: str = ""


class Viewer:
    """Writes `index.html` and the folder `viewer/` beside it, map by map.

    The page needs no network and no server: the maps are stored in scripts, which a page may load
    from the file system. It plays the original video if the browser can, otherwise the film.

    Args:
        folder: Folder for the page.
        video: Path of the video or picture.
        times: (n,) timestamps of the video's frames, in seconds.
        height, width: Size at which the video is shown (with its sample aspect).
        title: Heading; default: the file name.
        about: One line below the heading, such as the model's name.
        origin: Timestamp of the video file's first frame; default: the first of `times`.

    Attributes:
        grid: (rows, columns) of the page's maps; all maps are resized to it.

    Example:

    ```python
    with Viewer("out", "clip.mp4", times, 360, 640) as viewer:
        for frame, saliency in enumerate(maps):
            viewer.add(frame, saliency)
        viewer.finish(film="film.mp4")
    ```
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        video: str,
        times: Sequence[float],
        height: int,
        width: int,
        *,
        title: str | None = None,
        about: str = "",
        origin: float | None = None,
    ):
        self.folder = Path(folder)
        self.video, self.title = str(video), title or os.path.basename(str(video).rstrip("/"))
        self.about = about
        self.times = np.asarray(times, float)
        self.origin = float(origin if origin is not None else self.times[0])
        self.size = (int(height), int(width))
        scale = min(1.0, LONGEST_SIDE / max(self.size))
        self.grid = tuple(max(1, round(side * scale)) for side in self.size)
        self._first: int | None = None
        self._places: list[list[list[float]]] = []
        self._constant: list[int] = []
        self._entropy: list[float] = []
        self._peak: list[float] = []
        self._held: list[np.ndarray] = []
        self._chunks = 0
        self._finished = False

    def __enter__(self) -> Viewer:
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind, error, trace) -> None:
        """Remove the maps if the page was not finished."""
        if not self._finished:
            shutil.rmtree(self.folder / FOLDER, ignore_errors=True)

    def add(self, frame: int, saliency: np.ndarray, places: Sequence[Sequence[float]] = ()) -> None:
        """Add a frame's map, (height, width) of any size; frames must be consecutive.

        `places` are the most likely gaze positions: x, y in [0, 1] and a probability share.
        """
        if self._first is None:
            self._first = frame
        if frame != self._first + len(self._places):
            raise ValueError(
                "Frames must be consecutive. "
                f"Received: frame={frame} after {self._first + len(self._places) - 1}"
            )
        saliency = np.asarray(saliency, np.float32)
        if not np.isfinite(saliency).all():
            raise ValueError(f"A map's values must be finite. Received: NaN or inf, frame {frame}")
        shrinks = saliency.shape[0] >= self.grid[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(saliency, self.grid[::-1], interpolation=how)
        low, high, total = float(small.min()), float(small.max()), float(small.sum())
        if high - low <= 1e-6 * abs(high):
            self._constant.append(len(self._places))
        density = np.maximum(small, 0) / (total if total > 0 else 1.0)
        filled = density[density > 0]
        self._entropy.append(float(-(filled * np.log2(filled)).sum()))
        self._peak.append(float(density.max() * density.size))
        span = high - low if high > low else 1.0
        self._held.append(np.round((small - low) / span * 255).astype(np.uint8))
        self._places.append([[round(float(value), 4) for value in place] for place in places])
        if len(self._held) == CHUNK:
            self._write_chunk()

    def finish(
        self,
        *,
        film: str | None = None,
        series: Sequence[Series] = (),
        segments: Sequence[Mapping[str, Any]] = (),
        actions: Sequence[tuple[str, float]] = (),
        gaze: Sequence[Sequence[Sequence[float]]] | None = None,
    ) -> Path:
        """Write the page, and return its path.

        Args:
            film: File name of the film in the folder, shown if the browser cannot play the video.
            series: More curves for the timeline, one value per predicted frame.
            segments: Segments of the video: `label`, `start` and `end`, in seconds.
            actions: Names and probabilities, most likely first.
            gaze: The viewers' gaze for each frame of the video, x and y in [0, 1].
        """
        if self._held:
            self._write_chunk()
        curves = [
            Series("entropy", self._entropy, "bits", "how spread out the map is"),
            Series("peak", self._peak, "x uniform", "density at the most likely place"),
        ]
        curves = [*(curves if self._places else []), *series]
        about = {
            "title": self.title,
            "about": self.about,
            **_sources(self.video, self.folder, film),
            "origin": self.origin,
            "times": np.round(self.times, 5).tolist(),
            "height": self.size[0],
            "width": self.size[1],
            "first": self._first or 0,
            "count": len(self._places),
            "rows": self.grid[0],
            "columns": self.grid[1],
            "chunk": CHUNK,
            "chunks": self._chunks,
            "constant": self._constant,
            "places": self._places,
            "series": [_curve(curve, self._first or 0) for curve in curves],
            "segments": [dict(segment) for segment in segments],
            "actions": [[name, float(share)] for name, share in actions],
            "gaze": None if gaze is None else [_rounded(points) for points in gaze],
        }
        _write_data(self.folder, about)
        write_text(self.folder / FOLDER / "viewer.js", asset("viewer.js"))
        path = self.folder / PAGE
        write_text(path, viewer_page([FOLDER], self.title, self.about))
        self._finished = True
        return path

    def _write_chunk(self) -> None:
        _, data = cv2.imencode(".png", np.concatenate(self._held))
        url = "data:image/png;base64," + base64.b64encode(data.tobytes()).decode()
        name = f"maps-{self._chunks:04d}.js"
        write_text(self.folder / FOLDER / name, f"zooChunk({self._chunks},{_json(url)});\n")
        self._chunks += 1
        self._held = []


def add_to_viewer(
    folder: str | os.PathLike,
    *,
    film: str | None = None,
    series: Sequence[Series] = (),
    actions: Sequence[tuple[str, float]] = (),
) -> None:
    """Add to the page that `Viewer` wrote in `folder`; for the arguments see `Viewer.finish`."""
    about = read_viewer(folder)
    about["film"] = film or about["film"]
    about["series"] += [_curve(curve, about["first"]) for curve in series]
    about["actions"] += [[name, float(share)] for name, share in actions]
    _write_data(Path(folder), about)


def read_viewer(folder: str | os.PathLike) -> dict[str, Any]:
    """The data of the viewer page in `folder`."""
    text = (Path(folder) / FOLDER / "data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("zooPane(").rstrip().removesuffix(");"))


def _write_data(folder: Path, about: Mapping[str, Any]) -> None:
    write_text(folder / FOLDER / "data.js", f"zooPane({_json(about)});\n")


def viewer_page(folders: Sequence[str], title: str, about: str = "") -> str:
    """The HTML of a page that shows the viewers of one or several folders, side by side.

    Args:
        folders: Folders `viewer/` that `Viewer` wrote, as URLs relative to the page.
        title: Heading.
        about: One line below it.
    """
    scripts = [f"{folders[0]}/viewer.js", *(f"{folder}/data.js" for folder in folders)]
    head = "".join(f'<script src="{html.escape(src)}"></script>\n' for src in scripts)
    body = Template(asset("viewer.html")).substitute(
        title=html.escape(title), about=html.escape(about)
    )
    return page(title, body, head=head)


def _sources(video: str, folder: Path, film: str | None) -> dict[str, Any]:
    """The page's video sources: the original, as a URL relative to `viewer/`, and the film."""
    name, picture = os.path.basename(video), video.lower().endswith((*PICTURES, ".gif"))
    found = {"original": None, "original_name": name, "film": film, "picture": picture}
    # Not a folder of frames, shards, a pipe or a camera.
    if os.path.isfile(video) and not video.lower().endswith(NOT_IN_BROWSERS):
        relative = os.path.relpath(os.path.abspath(video), (folder / FOLDER).absolute())
        found["original"] = "/".join(quote(part) for part in Path(relative).parts)
    return found


def _curve(curve: Series, first: int) -> dict[str, Any]:
    values = [None if not np.isfinite(v) else float(f"{v:.5g}") for v in curve.values]
    return {
        "name": curve.name,
        "unit": curve.unit,
        "meaning": curve.meaning,
        "first": first,
        "values": values,
    }


def _rounded(points: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[round(float(x), 4), round(float(y), 4)] for x, y in points]


def _json(value: Any) -> str:
    """JSON that is safe inside a script: no string in it can close the script element."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
