"""Gaze as binary maps, one picture or mat file a frame."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from zoo.datasets.video.source import numbered_files
from zoo.files.mat import load_mat

NO_VIEWER = -1


def read_map(path: str | Path, key: str = "I") -> np.ndarray:
    """A fixation map as a (height, width) array, above 0 where someone looked."""
    path = Path(path)
    if path.suffix.lower() == ".mat":
        held = load_mat(path)
        if key not in held:
            raise ValueError(
                f"A fixation mat file must hold `{key}`. Received: {path} with {[*held]}; another "
                "name is given by `GazeSource(key=...)`."
            )
        picture = np.asarray(held[key])
    else:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise ValueError(f"A fixation map must be a picture. Received: {path}")
    if picture.ndim != 2:
        raise ValueError(
            f"A fixation map must have two axes. Received: {path} of shape {picture.shape}"
        )
    return picture


def read_maps(
    folder: str, key: str = "I", *, num_frames: int
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Fixations as columns frame, x, y, viewer, and the counted maps that were left out.

    The n-th map, by number, belongs to the n-th frame. Maps of png are above half of their
    largest grey level at a fixation; a fixation is placed at its pixel's centre.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"A folder of fixation maps must exist. Received: {folder}")
    files = numbered_files(folder, (".mat",)) or numbered_files(folder, (".png", ".bmp"))
    if not files:
        raise FileNotFoundError(
            f"A folder of fixation maps must hold png or mat files. Received: {folder}"
        )
    frames, xs, ys = [], [], []
    for number, file in enumerate(files[:num_frames]):
        picture = read_map(file, key)
        height, width = picture.shape
        row, column = np.nonzero(picture > picture.max(initial=0) / 2)
        frames.append(np.full(len(row), number))
        xs.append((column + 0.5) / width)
        ys.append((row + 0.5) / height)
    frame = np.concatenate(frames)
    columns = {
        "frame": frame,
        "x": np.concatenate(xs),
        "y": np.concatenate(ys),
        "viewer": np.full(len(frame), NO_VIEWER),
    }
    issues = {
        "maps beyond the video's end": max(0, len(files) - num_frames),
        "frames without a map": max(0, num_frames - len(files)),
    }
    return columns, {why: count for why, count in issues.items() if count}
