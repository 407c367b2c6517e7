"""The saliency prediction for one video."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.datasets.video.frame_index import describe_damage
from zoo.files.atomic import atomic_path
from zoo.inference.streaming.saliency_outputs import output_map
from zoo.inference.streaming.sources import ArrayVideo
from zoo.inference.writing.kept import ON_DISK
from zoo.inference.writing.output import claim_folder
from zoo.inference.writing.saliency_files import (
    FILES,
    KNOWN,
    SaliencyFiles,
    write_arrays,
    write_summary,
)
from zoo.inference.writing.shown import Shown
from zoo.visualize.attention import write_png

LONGEST_SIDE = 1280


@dataclass(frozen=True, repr=False)
class Prediction(Shown):
    """A model's outputs for one video: named arrays, and the written files.

    Attributes:
        video: path of the video.
        frames: (n,) numbers of the frames with a prediction, starting at 0.
        outputs: arrays (n, ...) by name: for `zoo.rmdn()`, "mixture" (n, C, 6); for `zoo.lsts()`,
            "saliency" (n, height, width), float16, memory-mapped from a file.
        candidates: n arrays (k, 3) of the most likely locations: x, y in [0, 1] and share.
        num_frames, fps, height, width: properties of the video.
        files: paths of the written files by kind: "film" (for one image: "picture"), "maps",
            "candidates", "arrays", "saliency", "summary", "page".
        seconds: processing time.
        source: the open video.

    Example:

    ```python
    prediction = zoo.predict("clip.mp4", model)
    prediction.map(40)               # (height, width), sums to 1
    prediction.candidates[40][0]     # x, y, share
    prediction.plot(40)              # matplotlib axes: the frame with its heat map
    prediction.save("out")           # film, candidates, arrays
    ```
    """

    video: str
    frames: np.ndarray
    outputs: dict[str, np.ndarray]
    candidates: list[np.ndarray]
    num_frames: int
    fps: float
    height: int
    width: int
    files: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    source: Any = field(default=None, compare=False)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {value.shape}" for name, value in self.outputs.items())
        return f"{type(self).__name__}({self.headline}; {shapes})"

    @property
    def headline(self) -> str:
        """One line with the video's name, frame counts and size."""
        text = f"{self.title}: {len(self.frames)} of {self.num_frames} frames"
        return f"{text}, {self.height}x{self.width}"

    def summary(self) -> str:
        """One line with the headline, the processing time and the file to look at."""
        rate = f", {self.num_frames / self.seconds:.1f} frames per second" if self.seconds else ""
        text = f"{self.headline} in {self.seconds:.1f} s{rate}"
        shown = self.files.get("page") or self.files.get("summary")
        if self.damage:
            text += f"; {describe_damage(self._source().damage, most=2)}"
        return f"{text}; see {shown}" if shown else text

    def map(self, frame: int, height: int | None = None, width: int | None = None) -> np.ndarray:
        """The saliency map of a frame at any size (default the video's), summing to 1."""
        place = self._place(frame)
        return output_map(self.outputs, place, height or self.height, width or self.width)

    def heat(self, place: int) -> np.ndarray:
        """The map drawn over the frame `frames[place]`."""
        return output_map(self.outputs, place, *default_size(self.height, self.width))

    def places(self, place: int) -> np.ndarray:
        """The gaze candidates marked in the frame `frames[place]`."""
        return self.candidates[place]

    def rows(self) -> list[dict[str, Any]]:
        """One row for every gaze candidate of every frame, as a list of dicts.

        The columns are video, frame, time (in seconds), rank (from 0), x, y and share.
        """
        return [
            {
                "video": self.video,
                "frame": int(frame),
                "time": self.seconds_of(float(frame)),
                "rank": rank,
                "x": float(x),
                "y": float(y),
                "share": float(share),
            }
            for frame, places in zip(self.frames, self.candidates)
            for rank, (x, y, share) in enumerate(places)
        ]

    def save(
        self,
        folder: str | os.PathLike,
        *,
        maps: str | None = None,
        film: bool = True,
        sound: bool = True,
        size: tuple[int, int] | None = None,
        overwrite: bool = False,
    ) -> dict[str, str]:
        """Write what `zoo.predict(..., output=folder)` writes; return the paths by kind.

        Args:
            folder: output folder, new or empty.
            maps: "npz", "png" or None.
            film: write the video with its saliency as a heat map.
            sound: include the video's sound in the film.
            size: (height, width) of maps and film.
            overwrite: replace the files of an earlier prediction.
        """
        video = self._source()
        folder = claim_folder(folder, overwrite=overwrite, known=KNOWN)
        size = size or default_size(self.height, self.width)
        still = is_picture(video)
        place_of = {int(frame): place for place, frame in enumerate(self.frames)}
        with SaliencyFiles(
            folder,
            video,
            maps=maps,
            film=film and not still,
            size=size,
            sound=sound,
        ) as files:
            for number, frame in enumerate(video.frames(size=size)):
                place = place_of.get(number)
                if place is None:
                    files.write(number, frame, None)
                else:
                    density = functools.partial(output_map, self.outputs, place)
                    files.write(number, frame, density, self.candidates[place])
            files.finish(FILES["picture"] if film and still else None)
        small = {name: v for name, v in self.outputs.items() if name not in ON_DISK}
        found = {**files.files, **write_arrays(folder, self.frames, small, self.candidates)}
        for name in self.outputs.keys() - small.keys():
            found[name] = str(folder / f"{name}.npy")
            with atomic_path(found[name]) as part, open(part, "wb") as file:
                np.save(file, self.outputs[name])
        if film and still:
            found["picture"] = self.write_picture(folder)
        self.files.clear()
        self.files.update(found)
        write_summary(folder, self, {"map_height": size[0], "map_width": size[1]})
        return dict(self.files)

    def write_picture(self, folder: str | os.PathLike) -> str:
        """Write picture.png, the overlay of one frame, into a folder; return its path."""
        path = os.path.join(folder, FILES["picture"])
        with atomic_path(path) as part:
            write_png(part, self.picture())
        return path


def default_size(height: int, width: int) -> tuple[int, int]:
    """Default size of maps and film: the video's, at most 1280 pixels a side."""
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def is_picture(video: Any) -> bool:
    """Whether a video is a single image."""
    return isinstance(video, ArrayVideo) and video.num_frames == 1
