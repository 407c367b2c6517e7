"""Pictures and films of an action model's attention: where and when it looks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.datasets.video.writer import VideoWriter
from zoo.visualize.overlay import overlay

TRUTH = (42, 120, 214)
PREDICTED = (227, 73, 72)
STRIP = 14


def attention_picture(
    frames: np.ndarray,
    spatial: np.ndarray | None = None,
    temporal: np.ndarray | None = None,
    *,
    boxes: np.ndarray | None = None,
    predicted_boxes: np.ndarray | None = None,
    columns: int = 8,
) -> np.ndarray:
    """A row of video frames, with their heat maps and temporal weights below.

    Args:
        frames: array (n, height, width, 3), RGB, uint8.
        spatial: array (n, map height, map width), one map per frame.
        temporal: array (n,), or (steps, n), of which the mean over the steps is drawn; white is
            the highest weight, as in the figures of Meng et al.
        boxes: true boxes, (n, 4) of x, y, width, height in pixels; NaN rows are skipped.
        predicted_boxes: predicted boxes, in the same format.
        columns: number of frames shown, evenly spaced over the video.

    Returns:
        Array (picture height, picture width, 3), uint8.

    Example: `attention_picture(frames, outputs["spatial_attention"][0])`.
    """
    count = len(frames)
    _check_length("spatial", spatial, count, 0)
    weights = _mean_weights(temporal, count)
    shown = np.unique(np.linspace(0, count - 1, min(columns, count)).round().astype(int))
    rows = [[np.ascontiguousarray(frames[at]).copy() for at in shown]]
    for given, colour in ((boxes, TRUTH), (predicted_boxes, PREDICTED)):
        if given is not None:
            for picture, at in zip(rows[0], shown):
                _draw_box(picture, given[at], colour)
    if spatial is not None:
        # One scale for the whole video, so that frames with less attention look weaker.
        top = float(np.max(spatial)) or 1.0
        rows.append(
            [
                overlay(frames[at], spatial[at], strength=0.75 * float(np.max(spatial[at])) / top)
                for at in shown
            ]
        )
    picture = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
    if weights is None:
        return picture
    strip = temporal_strip(weights[shown], picture.shape[1])
    return np.concatenate([picture, strip], axis=0)


def temporal_strip(weights: np.ndarray, width: int, height: int = STRIP) -> np.ndarray:
    """Weights (n,) as a grey strip, from black (zero) to white (the highest weight)."""
    grey = np.asarray(weights, np.float64) / (np.max(weights) or 1.0)
    places = np.minimum(np.arange(width) * len(grey) // width, len(grey) - 1)
    row = (255 * np.clip(grey[places], 0, 1)).round().astype(np.uint8)
    return np.repeat(np.repeat(row[None, :, None], height, axis=0), 3, axis=2)


def temporal_curve(
    temporal: np.ndarray,
    *,
    segments: Sequence[tuple[float, float]] = (),
    predicted_segments: Sequence[tuple[float, float]] = (),
    size: tuple[int, int] = (160, 640),
) -> np.ndarray:
    """Temporal weights over the video as a curve; segments as bands, true above predicted.

    Args:
        temporal: array (n,), or (steps, n): the mean is bold, the steps are faint.
        segments: true segments (start, end), as fractions of the video, 0 to 1.
        predicted_segments: predicted segments, in the same format.
        size: (height, width) of the picture.

    Returns:
        Array (height, width, 3), uint8.
    """
    steps = np.atleast_2d(np.asarray(temporal, np.float64))
    height, width = size
    picture = np.full((height, width, 3), 252, np.uint8)
    band = max(6, height // 16)
    for spans, top, colour in (
        (segments, 2, TRUTH),
        (predicted_segments, band + 4, PREDICTED),
    ):
        for start, end in spans:
            left, right = round(start * (width - 1)), round(end * (width - 1))
            cv2.rectangle(picture, (left, top), (right, top + band - 1), colour, -1)
    base, room = height - 6, height - 2 * band - 18
    highest = steps.max() or 1.0
    across = ((np.arange(steps.shape[1]) + 0.5) / steps.shape[1] * (width - 1)).round()

    def draw(values, colour, thickness):
        points = np.stack([across, base - values / highest * room], axis=1).round()
        points = points.astype(np.int32)
        cv2.polylines(picture, [points], False, colour, thickness, cv2.LINE_AA)

    if len(steps) > 1:
        for values in steps:
            draw(values, (205, 220, 240), 1)
    cv2.line(picture, (0, base), (width - 1, base), (120, 120, 116), 1)
    draw(steps.mean(axis=0), (28, 28, 26), 2)
    return picture


def attention_film(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    spatial: np.ndarray | None = None,
    temporal: np.ndarray | None = None,
    *,
    fps: float = 25.0,
    **writing: Any,
) -> None:
    """Write the video with heat maps and, below each frame, a temporal strip with a time marker.

    `frames` is read one by one, so a long video's `video.frames()` is never in memory as a whole.
    `writing` is passed to `VideoWriter`: sound, times, sample aspect.
    """
    given = spatial if spatial is not None else temporal
    if given is None:
        raise ValueError("`spatial` or `temporal` must be given. Received: neither")
    count = len(given) if spatial is not None or np.ndim(given) == 1 else np.shape(given)[-1]
    weights = _mean_weights(temporal, count)
    below = 0 if weights is None else STRIP
    top = 1.0 if spatial is None else float(np.max(spatial)) or 1.0
    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]
    with VideoWriter(path, fps=fps, height=height + below, width=width, **writing) as writer:
        at = -1
        for at, picture in enumerate(itertools.chain([first], frames)):
            if at == count:
                break
            if spatial is not None:
                strength = 0.75 * float(np.max(spatial[at])) / top
                picture = overlay(picture, spatial[at], strength=strength)
            if weights is not None:
                strip = temporal_strip(weights, width)
                place = min(width - 1, int((at + 0.5) / count * width))
                strip[:, place] = PREDICTED
                picture = np.concatenate([picture, strip], axis=0)
            writer.write(np.ascontiguousarray(picture))
        if at + 1 != count:
            raise ValueError(
                "Attention must have one entry per frame. "
                f"Received: {count} entries for {'more' if at == count else at + 1} frames"
            )


def write_attention(
    folder: str | os.PathLike,
    frames: np.ndarray,
    outputs: Mapping[str, np.ndarray],
    *,
    fps: float = 25.0,
    segments: Sequence[tuple[float, float]] = (),
    boxes: np.ndarray | None = None,
) -> list[Path]:
    """Write a model's attention for one video as a film, a picture and a curve.

    Args:
        folder: Output folder, created if missing, for `attention.mp4`, `attention.png` and, with
            temporal attention, `when.png`.
        frames: the model's input frames, (n, height, width, 3), RGB, uint8; they may be larger
            than the input, for a sharper picture.
        outputs: "spatial_attention" (n, h, w) and/or "temporal_attention" (steps, n) of the video.
        fps: frames per second of the film.
        segments, boxes: ground truth, see `temporal_curve` and `attention_picture`.

    Returns:
        The paths of the files written.
    """
    spatial, temporal = outputs.get("spatial_attention"), outputs.get("temporal_attention")
    if spatial is None and temporal is None:
        raise ValueError(
            "`outputs` must hold 'spatial_attention' or 'temporal_attention'. "
            f"Received: {sorted(outputs)}"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "attention.mp4", folder / "attention.png"]
    attention_film(paths[0], frames, spatial, temporal, fps=fps)
    write_png(paths[1], attention_picture(frames, spatial, temporal, boxes=boxes))
    if temporal is not None:
        paths.append(folder / "when.png")
        write_png(paths[2], temporal_curve(temporal, segments=segments))
    return paths


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write an RGB picture as PNG."""
    if not cv2.imwrite(str(path), picture[..., ::-1]):
        raise ValueError(f"A picture must be writable. Received: path={path}")


def _mean_weights(temporal, count: int) -> np.ndarray | None:
    if temporal is None:
        return None
    _check_length("temporal", temporal, count, -1)
    weights = np.asarray(temporal, np.float64)
    return weights.mean(axis=0) if weights.ndim == 2 else weights


def _check_length(name: str, values, count: int, axis: int) -> None:
    if values is not None and np.shape(values)[axis] != count:
        raise ValueError(
            f"`{name}` must have one entry per frame. "
            f"Received: shape {np.shape(values)} for {count} frames"
        )


def _draw_box(picture: np.ndarray, box: np.ndarray, colour) -> None:
    if np.all(np.isfinite(box)):
        x, y, width, height = (round(float(value)) for value in box)
        cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), colour, 2)
