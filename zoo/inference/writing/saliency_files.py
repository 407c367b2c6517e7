"""The files of a saliency prediction, written frame by frame."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files.atomic import atomic_path, write_text
from zoo.files.json_file import write_json
from zoo.inference.streaming.sources import AnyVideo, ArrayVideo, film_options
from zoo.inference.writing.maps import MapWriter
from zoo.visualize.film import SaliencyFilm
from zoo.visualize.viewer import FOLDER as VIEWER
from zoo.visualize.viewer import PAGE, Viewer

FILES = {
    "film": "film.mp4",
    "picture": "picture.png",
    "maps": "maps.npz",
    "candidates": "candidates.csv",
    "arrays": "prediction.npz",
    "log_density": "log_density.npy",
    "saliency": "saliency.npy",
    "summary": "prediction.json",
    "action": "action.json",
    "page": PAGE,
}
KNOWN = (*FILES.values(), "maps", VIEWER)  # everything a prediction may write into its folder


class SaliencyFiles:
    """Maps, film and viewer page of one video; each file appears only when complete.

    Args:
        folder: output folder; with None, no files are written.
        video: the open video.
        model: the model's name, shown on the page.
        maps: "npz", "png" or None.
        film: whether to write a film.
        size: (height, width) of maps and film.
        sound: whether to include the video's sound in the film.

    Example:

    ```python
    with SaliencyFiles(folder, video, maps="npz", film=True, size=(90, 160)) as files:
        files.write(0, frame, density, places)  # density(height, width) gives the frame's map
    ```
    """

    def __init__(
        self,
        folder: Path | None,
        video: AnyVideo,
        *,
        model: str = "",
        maps: str | None,
        film: bool,
        size: tuple[int, int],
        sound: bool = True,
    ):
        self.folder = folder
        self.maps = maps if folder is not None else None
        self.film = film and folder is not None
        self.video = video
        self.model = model
        self.size = size
        self.sound = sound
        self.files: dict[str, str] = {}
        self._stack = contextlib.ExitStack()
        self._maps = self._film = self._viewer = None

    @property
    def wanted(self) -> bool:
        """Whether any output needs maps."""
        return self.folder is not None

    def __enter__(self) -> SaliencyFiles:
        if self.maps is not None:
            path = self.folder / (FILES["maps"] if self.maps == "npz" else "maps")
            self._maps = self._stack.enter_context(MapWriter(path))
            self.files["maps"] = str(path)
        if self.film:
            path = self.folder / FILES["film"]
            height, width = self.size
            options = film_options(self.video, self.size, sound=self.sound)
            film = SaliencyFilm(path, height=height, width=width, **options)
            self._film = self._stack.enter_context(film)
            self.files["film"] = str(path)
        if self.folder is not None:
            self._viewer = self._stack.enter_context(self._open_viewer())
        return self

    def _open_viewer(self) -> Viewer:
        times, origin = frame_times(self.video)
        file = getattr(self.video, "file", self.video.path)
        return Viewer(
            self.folder,
            str(file),
            times,
            *self.size,
            title=os.path.basename(str(self.video.path).rstrip("/")),
            about=self.model,
            origin=origin,
        )

    def write(
        self,
        number: int,
        frame: np.ndarray | None,
        density: Callable[[int, int], np.ndarray] | None,
        places: np.ndarray | None = None,
    ) -> None:
        """Append a frame; with density=None it is shown without a heat map and no map is saved.

        `density(height, width)` returns the frame's map at that size; the page uses smaller maps.
        """
        saliency = None
        if density is not None and (self._maps is not None or self._film is not None):
            saliency = density(*self.size)
        if self._maps is not None and saliency is not None:
            self._maps.write(number, saliency)
        if self._film is not None:
            self._film.write(frame, saliency, places)
        if self._viewer is not None and density is not None:
            places = () if places is None else places
            self._viewer.add(number, density(*self._viewer.grid), places)

    def finish(self, film: str | None = None) -> None:
        """Write the page after the last frame; `film` is the file shown instead of the film."""
        if self._viewer is not None:
            shown = film or (FILES["film"] if self._film is not None else None)
            self.files["page"] = str(self._viewer.finish(film=shown))

    def __exit__(self, kind, error, trace) -> None:
        self._stack.__exit__(kind, error, trace)


def frame_times(video: AnyVideo) -> tuple[np.ndarray, float]:
    """Time stamps in seconds of a video's frames, and of the first frame in its file."""
    if isinstance(video, ArrayVideo):
        return np.arange(video.num_frames) / video.fps, 0.0
    return video.source_times[video.source_indices], float(video.source_times[0])


def write_arrays(
    folder: Path,
    frames: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    candidates: Sequence[np.ndarray],
) -> dict[str, str]:
    """Write candidates.csv and prediction.npz; return their paths by kind."""

    def lines():
        yield "frame,rank,x,y,share"
        for frame, places in zip(frames, candidates):
            for rank, (x, y, share) in enumerate(places):
                yield f"{frame},{rank},{x:.5f},{y:.5f},{share:.5f}"

    table, arrays = folder / FILES["candidates"], folder / FILES["arrays"]
    write_text(table, lines())
    with atomic_path(arrays) as part, open(part, "wb") as file:
        np.savez(file, frames=frames, **outputs)
    return {"candidates": str(table), "arrays": str(arrays)}


def write_summary(folder: Path, prediction: Any, facts: Mapping[str, Any]) -> str:
    """Write prediction.json (the video, the settings and the results) and return its path."""
    path = folder / FILES["summary"]
    prediction.files["summary"] = str(path)
    summary = {
        "video": prediction.video,
        "num_frames": prediction.num_frames,
        "predicted_frames": len(prediction.frames),
        "fps": prediction.fps,
        "fps_assumed": not prediction.source.rate_known,
        "video_seconds": round(float(prediction.source.edges[-1]), 6),
        "damage": [str(damage) for damage in prediction.source.damage],
        "height": prediction.height,
        "width": prediction.width,
        **facts,
        "seconds": round(prediction.seconds, 3),
        "seconds_a_frame": round(prediction.seconds / prediction.num_frames, 5),
        "outputs": {name: list(value.shape) for name, value in prediction.outputs.items()},
        "files": {kind: os.path.basename(file) for kind, file in prediction.files.items()},
    }
    write_json(path, summary)
    return str(path)
