"""Gaze as binary maps, one picture or mat file per frame."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cv2
import numpy as np
import scipy.sparse

from zoo.datasets.video.source import numbered_files
from zoo.files.interface import advised
from zoo.files.mat import load_mat

NO_VIEWER = -1
MOST_COUNTS = 32  # a map with only the values 1, 2, 3... up to this number counts fixations
MOST_SHARE = 0.05  # a map with a larger fraction of pixels above 0 is not a fixation map
SUFFIXES = (".png", ".bmp", ".tif", ".tiff")


def read_map(path: str | Path, key: str = "I") -> np.ndarray:
    """A fixation map as a (height, width) array, above 0 where someone looked.

    Args:
        path: A picture, or a mat file, which may hold a sparse matrix. Of a colour picture, the
            maximum over the colour channels is taken.
        key: Name of the map inside a mat file.

    Raises:
        ValueError: The file is not a readable map.
    """
    path = Path(path)
    if path.suffix.lower() == ".mat":
        held = load_mat(path)
        if key not in held:
            option = advised("`GazeSource(key=...)`", '"key" in gaze.json')
            raise ValueError(
                f"A fixation mat file must hold `{key}`; use {option} for another name. "
                f"Received: {path} with {[*held]}"
            )
        picture = held[key]
        picture = picture.toarray() if scipy.sparse.issparse(picture) else np.asarray(picture)
    else:
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None:
            raise ValueError(f"A fixation map must be a picture. Received: {path}")
        if picture.ndim == 3:
            picture = picture[..., :3].max(2)
    if picture.ndim != 2:
        raise ValueError(
            f"A fixation map must have two axes. Received: {path} of shape {picture.shape}"
        )
    return picture


def read_maps(
    folder: str, key: str = "I", *, num_frames: int, first_frame: int | None = None
) -> tuple[dict[str, np.ndarray], dict[str, int], tuple[str, ...]]:
    """Read the fixations from a folder of maps.

    Each pixel above 0 is a fixation at the pixel's centre; in a map with only the values 1, 2,
    3..., the values are numbers of fixations. `frames_of` describes which frame a map belongs to.

    Returns:
        The columns of `Fixations`; reason -> number of maps left out; notes on the processing.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"A folder of fixation maps must exist. Received: {folder}")
    files = numbered_files(folder, (".mat",)) or numbered_files(folder, SUFFIXES)
    if not files:
        raise FileNotFoundError(
            f"A folder of fixation maps must hold png or mat files. Received: {folder}"
        )
    numbers = [map_number(file) for file in files]
    place, doubt = frames_of(numbers, num_frames, first_frame)
    frames, xs, ys, counted = [], [], [], False
    for frame, file in zip(place, files):
        if not 0 <= frame < num_frames:
            continue
        picture = read_map(file, key)
        row, column, repeated = _points(picture, file)
        counted |= repeated
        frames.append(np.full(len(row), frame))
        xs.append((column + 0.5) / picture.shape[1])
        ys.append((row + 0.5) / picture.shape[0])
    frame = np.concatenate(frames) if frames else np.zeros(0, np.int64)
    columns = {
        "frame": frame,
        "x": np.concatenate(xs) if xs else np.zeros(0),
        "y": np.concatenate(ys) if ys else np.zeros(0),
        "viewer": np.full(len(frame), NO_VIEWER),
    }
    inside = sum(0 <= at < num_frames for at in place)
    issues = {
        "maps before the first frame": sum(at < 0 for at in place),
        "maps beyond the video's end": sum(at >= num_frames for at in place),
        "frames without a map": num_frames - inside,
        "maps whose numbers do not identify their frames": len(files) if doubt else 0,
    }
    notes = ((doubt,) if doubt else ()) + (
        ("values of the maps were read as numbers of fixations",) if counted else ()
    )
    return columns, {why: count for why, count in issues.items() if count}, notes


def map_number(file: Path) -> int:
    """The last number in a map's name."""
    return int(re.findall(r"\d+", file.stem)[-1])


def frames_of(
    numbers: list[int], num_frames: int, first_frame: int | None = None
) -> tuple[list[int], str]:
    """The frame that each map belongs to, inferred from the maps' numbers.

    With `first_frame`, the frame is the map's number minus `first_frame`. Otherwise:

    - with as many maps as frames, maps and frames correspond in order, whatever the numbers;
    - numbers that begin with 0 or 1 are counted from there;
    - if the last number equals the number of frames, numbers are counted from 1; if it is one
      less, from 0;
    - otherwise the first map is taken for the first frame, and a doubt is returned.

    Args:
        numbers: Numbers of the maps, ascending.
        num_frames: Number of frames of the video.
        first_frame: Number of the first frame's map, if known.

    Returns:
        The frame of each map, and the doubt or an empty text.
    """
    if first_frame is not None:
        return [number - first_frame for number in numbers], ""
    if len(numbers) == num_frames:
        return list(range(num_frames)), ""
    if numbers[0] in (0, 1):
        return [number - numbers[0] for number in numbers], ""
    if numbers[-1] in (num_frames, num_frames - 1):
        base = numbers[-1] - num_frames + 1
        return [number - base for number in numbers], ""
    option = advised("`GazeSource(first_frame=...)`", '"first_frame" in gaze.json')
    doubt = (
        f"maps {numbers[0]} to {numbers[-1]} for a video of {num_frames} frames: the first map was "
        f"assigned to the first frame; {option} sets the number of the first frame's map"
    )
    return [number - numbers[0] for number in numbers], doubt


def _points(picture: np.ndarray, file: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows and columns of the fixations, and whether values were read as numbers of fixations."""
    row, column = np.nonzero(picture > 0)
    values = picture[row, column]
    if len(row) > MOST_SHARE * picture.size and len(np.unique(values)) > 2:
        raise ValueError(
            "A fixation map must be 0 everywhere except at fixations (a saliency map is not a "
            f"fixation map). Received: {file} with {100 * len(row) / picture.size:.0f}% of the "
            "pixels above 0"
        )
    counts = len(values) and 1 < values.max() <= MOST_COUNTS and values.min() == 1
    if counts and np.all(values == np.round(values)):
        repeat = values.astype(np.int64)
        return np.repeat(row, repeat), np.repeat(column, repeat), True
    return row, column, False
