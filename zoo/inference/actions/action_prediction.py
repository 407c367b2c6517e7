"""An action model's prediction for one video."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.video.frame_index import describe_damage
from zoo.files.atomic import atomic_path
from zoo.files.json_file import write_json
from zoo.inference.streaming.sources import film_options
from zoo.inference.writing.output import claim_folder
from zoo.inference.writing.prediction import default_size, is_picture
from zoo.inference.writing.saliency_files import frame_times
from zoo.inference.writing.shown import Shown
from zoo.metrics.spatial_localisation import attention_boxes
from zoo.metrics.temporal_localisation import attention_segments
from zoo.visualize.attention import attention_film, attention_picture, temporal_curve, write_png
from zoo.visualize.viewer import FOLDER as VIEWER
from zoo.visualize.viewer import PAGE, Series, Viewer

FILES = {
    "film": "attention.mp4",
    "picture": "attention.png",
    "curve": "when.png",
    "arrays": "prediction.npz",
    "summary": "attention.json",
    "page": PAGE,
}
KNOWN = (*FILES.values(), VIEWER)  # everything a prediction may write into its folder
SHOWN = 8  # number of frames in the picture


@dataclass(frozen=True, repr=False)
class ActionPrediction(Shown):
    """An action model's prediction for one video.

    Attributes:
        video: path of the video.
        frames: (n,) indices of the frames that the model was given.
        outputs: "action" (classes,), the probabilities for the whole video; if the model has them,
            "spatial_attention" (n, rows, columns) and "temporal_attention" (steps, n).
        classes: names of the classes, or None.
        num_frames, fps, height, width: of the video.
        files: written files, kind to path: "film", "picture", "curve", "arrays", "summary".
        seconds: time taken by the prediction.
        source: the open video.
        block_stride: frames between the starts of consecutive blocks; None: the model was given
            frames spread over the video.

    Example:

    ```python
    prediction = zoo.predict("clip.mp4", model, output="out", classes=ucf101.CLASSES)
    prediction.top(3)  # [("Archery", 0.61), ...]
    ```
    """

    video: str
    frames: np.ndarray
    outputs: dict[str, np.ndarray]
    classes: tuple[str, ...] | None
    num_frames: int
    fps: float
    height: int
    width: int
    files: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    source: Any = field(default=None, compare=False)
    block_stride: int | None = None

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {value.shape}" for name, value in self.outputs.items())
        return f"ActionPrediction({self.headline}; {shapes})"

    @property
    def headline(self) -> str:
        """The video and its most likely action, in one line."""
        name, share = self.top(1)[0]
        return f"{self.title}: {name} {share:.0%}, from {len(self.frames)} frames"

    def summary(self) -> str:
        """What was predicted and where to find the results, in one line."""
        text = f"{self.headline} in {self.seconds:.1f} s"
        shown = self.files.get("page") or self.files.get("summary")
        if self.damage:
            text += f"; {describe_damage(self._source().damage, most=2)}"
        return f"{text}; see {shown}" if shown else text

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The most likely classes and their probabilities, in descending order."""
        action = self.outputs["action"]
        order = np.argsort(-action, kind="stable")[:count]
        names = self.classes or [str(index) for index in range(len(action))]
        return [(names[index], float(action[index])) for index in order]

    def heat(self, place: int) -> np.ndarray | None:
        """The spatial attention to draw over the frame `frames[place]`."""
        spatial = self.outputs.get("spatial_attention")
        return None if spatial is None else spatial[place]

    def rows(self) -> list[dict[str, Any]]:
        """One row per class, the most likely first: video, rank, action, probability."""
        return [
            {"video": self.video, "rank": rank, "action": name, "probability": share}
            for rank, (name, share) in enumerate(self.top(len(self.outputs["action"])))
        ]

    def save(
        self,
        folder: str | os.PathLike,
        *,
        film: bool = True,
        sound: bool = True,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
    ) -> dict[str, str]:
        """Write what `zoo.predict(..., output=folder)` writes; return kind to path.

        Args:
            folder: a new or empty folder.
            film: write the video with its attention overlaid as a heat map.
            sound: put the video's sound into the film.
            size: (height, width) of the pictures.
            overwrite: replace the files of an earlier prediction.
        """
        folder = claim_folder(folder, overwrite=overwrite, known=KNOWN)
        self.files.clear()
        size = size or default_size(self.height, self.width)
        self.write(folder, film, size, sound=sound)
        return dict(self.files)

    def write(self, folder: Path, film: bool, size: tuple[int, int], *, sound: bool = True) -> None:
        """Write pictures, film, arrays and attention.json into a folder."""
        video = self._source()
        found = _located(self, size)
        _draw(self, video, folder, size, film and not is_picture(video), sound, found)
        self.files["page"] = _write_page(self, video, folder, size, found)
        self.files["arrays"] = str(folder / FILES["arrays"])
        with atomic_path(self.files["arrays"]) as part, open(part, "wb") as file:
            np.savez(file, frames=self.frames, **self.outputs)
        self.files["summary"] = str(folder / FILES["summary"])
        write_json(folder / FILES["summary"], _facts(self, found))


def _located(prediction, size) -> dict:
    """Boxes in the model's frames and segments of the video, computed as in the papers."""
    found = {}
    spatial = prediction.outputs.get("spatial_attention")
    temporal = prediction.outputs.get("temporal_attention")
    if spatial is not None:
        highest = spatial.reshape(len(spatial), -1).max(axis=1)
        relative = spatial / np.maximum(highest, 1e-12)[:, None, None]
        found["boxes"] = attention_boxes(relative, *size)
    if temporal is not None:
        seconds = prediction.num_frames / prediction.fps
        label = int(prediction.outputs["action"].argmax())
        segments = attention_segments(prediction.video, label, temporal, seconds)
        found["segments"] = [(s.start / seconds, s.end / seconds) for s in segments]
    return found


def _draw(prediction, video, folder: Path, size, film: bool, sound: bool, found) -> None:
    spatial = prediction.outputs.get("spatial_attention")
    temporal = prediction.outputs.get("temporal_attention")
    if spatial is None and temporal is None:
        return
    chosen = np.unique(np.linspace(0, len(prediction.frames) - 1, SHOWN).round().astype(int))
    picture = attention_picture(
        video.read(prediction.frames[chosen], size=size),
        None if spatial is None else spatial[chosen],
        None if temporal is None else temporal[:, chosen],
        predicted_boxes=found["boxes"][chosen] if "boxes" in found else None,
        columns=SHOWN,
    )
    write_png(folder / FILES["picture"], picture)
    prediction.files["picture"] = str(folder / FILES["picture"])
    if temporal is not None:
        curve = temporal_curve(temporal, predicted_segments=found["segments"])
        write_png(folder / FILES["curve"], curve)
        prediction.files["curve"] = str(folder / FILES["curve"])
    if film:
        attention_film(
            folder / FILES["film"],
            video.frames(size=size),
            _every_frame(spatial, prediction),
            None if temporal is None else _every_frame(temporal.mean(axis=0), prediction),
            **film_options(video, size, sound=sound),
        )
        prediction.files["film"] = str(folder / FILES["film"])


def _write_page(prediction, video, folder: Path, size, found) -> str:
    """The viewer: spatial attention over the video, temporal attention and segments in time."""
    spatial = _every_frame(prediction.outputs.get("spatial_attention"), prediction)
    temporal = prediction.outputs.get("temporal_attention")
    times, origin = frame_times(video)
    file = str(getattr(video, "file", video.path))
    with Viewer(folder, file, times, *size, title=prediction.title, origin=origin) as viewer:
        for frame, weights in enumerate(() if spatial is None else spatial):
            viewer.add(frame, weights)
        series, segments = [], []
        if temporal is not None:
            values = _every_frame(temporal.mean(axis=0), prediction)
            series = [Series("temporal attention", values, meaning="weight of the frame")]
            label, count = prediction.top(1)[0][0], prediction.num_frames
            segments = [
                {
                    "label": label,
                    "start": times[0] + prediction.seconds_of(a * count),
                    "end": times[0] + prediction.seconds_of(b * count),
                }
                for a, b in found["segments"]
            ]
        page = viewer.finish(
            film=FILES["film"] if "film" in prediction.files else None,
            series=series,
            segments=segments,
            actions=prediction.top(),
        )
    return str(page)


def _every_frame(values, prediction):
    """Interpolate values (n, ...) at the model's frames to every frame of the video."""
    if values is None or len(values) == prediction.num_frames:
        return values
    where = np.interp(np.arange(prediction.num_frames), prediction.frames, np.arange(len(values)))
    low = np.floor(where).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (where - low).reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
    return values[low] * (1 - share) + values[high] * share


def _facts(prediction: ActionPrediction, found: dict) -> dict[str, Any]:
    """The content of attention.json."""
    spatial = prediction.outputs.get("spatial_attention")
    temporal = prediction.outputs.get("temporal_attention")
    return {
        "video": prediction.video,
        "num_frames": prediction.num_frames,
        "fps": prediction.fps,
        "damage": list(prediction.damage),
        "top": [{"class": name, "probability": p} for name, p in prediction.top()],
        "frames": prediction.frames,
        "block_stride": prediction.block_stride,
        "temporal_attention": None if temporal is None else temporal.mean(axis=0),
        "segments_seconds": [
            [prediction.seconds_of(share * prediction.num_frames) for share in segment]
            for segment in found.get("segments", [])
        ],
        "spatial_attention_peaks": None if spatial is None else _peaks(spatial),
        "seconds": round(prediction.seconds, 3),
        "outputs": {name: list(value.shape) for name, value in prediction.outputs.items()},
        "files": {kind: os.path.basename(path) for kind, path in prediction.files.items()},
    }


def _peaks(spatial) -> list[list[float]]:
    """x, y in [0, 1] and value of each frame's maximum."""
    _, rows, columns = spatial.shape
    peaks = []
    for weights in spatial:
        row, column = np.unravel_index(weights.argmax(), weights.shape)
        peaks.append([(column + 0.5) / columns, (row + 0.5) / rows, float(weights[row, column])])
    return peaks
