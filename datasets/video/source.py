"""Reading the frames of a folder of numbered pictures."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from zoo.datasets.video.errors import VideoError
from zoo.datasets.video.frame_index import FrameIndex
from zoo.datasets.video.pictures import read_picture
from zoo.datasets.video.promise import Promise
from zoo.datasets.video.resizing import resize, to_rgb

__all__ = ["PICTURES", "FolderSource", "VideoError", "numbered_files", "resize", "to_rgb"]

STEP = 1e-3  # seconds; resolution assumed for times that are computed from a frame rate
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".avif")
FOLDER_FPS = 25.0


class FolderSource:
    """Frames of a folder of pictures whose names end with the frame number.

    Args:
        path: The folder.
        fps: Frames per second; None assumes 25.
    """

    def __init__(self, path: str, fps: float | None = None):
        self.path = path
        self.fps = float(fps or FOLDER_FPS)
        self.states_rate, self.tick = False, STEP
        self.sample_aspect = Fraction(1)
        self.files = numbered_files(path, PICTURES)
        self.promised = Promise(frames=len(self.files))
        if not self.files:
            raise VideoError(f"A folder of frames must hold pictures {PICTURES}. Received: {path}")
        self.height, self.width = self._picture(0).shape[:2]

    def _picture(self, index: int) -> np.ndarray:
        return read_picture(self.files[index])

    def scan(self) -> FrameIndex:
        """The times of the frames; no picture is opened."""
        count = len(self.files)
        return FrameIndex(times=np.arange(count) / self.fps, end=count / self.fps)

    def walk(
        self, indices: Iterable[int], size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the frames of `indices`; stop after the last existing frame."""
        for index in indices:
            if index >= len(self.files):
                return
            bgr = self._picture(index)
            if bgr.shape[:2] != (self.height, self.width):
                raise VideoError(
                    "All frames of a folder must have the same size. Received: "
                    f"{self.files[0].name} {self.height}x{self.width}, "
                    f"{self.files[index].name} {bgr.shape[0]}x{bgr.shape[1]} in {self.path}"
                )
            yield to_rgb(bgr, size)


def numbered_files(folder: str | Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder in the order of the last number in their names.

    Raises:
        VideoError: A name has no number, a number occurs twice, or numbers are missing (the step
            between numbers must be constant).
    """
    found: dict[int, Path] = {}
    for file in Path(folder).iterdir():
        if file.suffix.lower() not in suffixes or file.name.startswith("."):
            continue
        digits = re.findall(r"\d+", file.stem)
        if not digits:
            raise VideoError(f"Names of frames must end with a number. Received: {file}")
        number = int(digits[-1])
        if number in found:
            raise VideoError(
                f"Frame numbers must be unique. Received: {found[number].name} and {file.name} in "
                f"{folder}"
            )
        found[number] = file
    numbers = sorted(found)
    if len(numbers) > 2:
        step = min(b - a for a, b in itertools.pairwise(numbers))
        wanted = range(numbers[0], numbers[-1] + 1, step)
        missing = sorted(set(wanted) - set(numbers))
        if missing or len(wanted) != len(numbers):
            raise VideoError(
                f"Frame numbers must have no gaps. Received: {folder}, "
                f"{len(missing)} missing: {missing[:10]}"
            )
    return [found[number] for number in numbers]
