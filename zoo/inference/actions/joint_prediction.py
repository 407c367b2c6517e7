"""A joint model's prediction for one video."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from zoo.files.json_file import write_json
from zoo.inference.streaming.sources import film_options
from zoo.inference.writing.prediction import Prediction, default_size, is_picture
from zoo.inference.writing.rendering import render_mixture
from zoo.inference.writing.saliency_files import FILES
from zoo.visualize.joint_film import JointFilm
from zoo.visualize.viewer import Series, add_to_viewer


@dataclasses.dataclass(frozen=True, repr=False)
class JointPrediction(Prediction):
    """A `Prediction` with the video's action.

    Attributes:
        action: (classes,) probabilities.
        temporal: (n,) for each frame in `frames`, its temporal attention or, for models without
            one, the probability of the most likely action given that frame alone.
        classes: names of the actions, or None.

    Example: `zoo.predict("clip.mp4", zoo.joint(num_classes=5)).label`
    """

    action: np.ndarray | None = None
    temporal: np.ndarray | None = None
    classes: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """Name, or index, of the most likely action."""
        return self.top(1)[0][0]

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The most likely classes and their probabilities, in descending order."""
        order = np.argsort(-self.action, kind="stable")[:count]
        names = self.classes or [str(index) for index in range(len(self.action))]
        return [(names[index], float(self.action[index])) for index in order]

    @property
    def headline(self) -> str:
        """The video, its frames and its action, in one line."""
        return f"{super().headline}, {self.label} {self.action.max():.0%}"

    def rows(self) -> list[dict[str, Any]]:
        """The rows of a `Prediction`, each with the action and its probability."""
        action = {"action": self.label, "probability": float(self.action.max())}
        return [{**row, **action} for row in super().rows()]

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
        """Write what `zoo.predict(..., output=folder)` writes; see `Prediction.save`."""
        picture = is_picture(self._source())
        super().save(folder, maps=maps, film=film and picture, size=size, overwrite=overwrite)
        self.write_action(Path(folder), film and not picture, size, sound=sound)
        return dict(self.files)

    def write_action(
        self, folder: Path, film: bool, size: tuple[int, int] | None, *, sound: bool = True
    ) -> None:
        """Write action.json, and the film with the action's name and strip of temporal weights."""
        self.files["action"] = str(folder / FILES["action"])
        write_json(
            folder / FILES["action"],
            {
                "label": self.label,
                "probabilities": {n: round(p, 6) for n, p in self.top(len(self.action))},
                "frames": self.frames.tolist(),
                "temporal": [round(float(value), 6) for value in self.temporal],
            },
        )
        if film:
            self.files["film"] = str(folder / FILES["film"])
            self._write_film(size or default_size(self.height, self.width), sound)
        add_to_viewer(
            folder,
            film=FILES["film"] if film else None,
            series=[
                Series("temporal attention", self.temporal, meaning="probability of the action")
            ],
            actions=self.top(),
        )

    def _write_film(self, size: tuple[int, int], sound: bool) -> None:
        video = self._source()
        place = {int(frame): index for index, frame in enumerate(self.frames)}
        weights = np.zeros(self.num_frames)
        weights[self.frames] = self.temporal
        with JointFilm(
            self.files["film"],
            height=size[0],
            width=size[1],
            text=f"{self.label} {self.action.max():.0%}",
            weights=weights,
            **film_options(video, size, sound=sound),
        ) as film:
            for number, frame in enumerate(video.frames(size=size)):
                saliency = None
                if number in place:
                    saliency = render_mixture(self.outputs["mixture"][place[number]], *size)
                film.write(frame, saliency)
