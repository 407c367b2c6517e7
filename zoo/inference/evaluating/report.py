"""Pictures of an evaluation: filmstrips, and plots over time."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from zoo.files.printable import one_line
from zoo.visualize.overlay import draw_fixations, overlay

STRIP_WIDTH = 1100
LABEL_HEIGHT = 22
# Methods that get no row of pictures.
HIDDEN = ("uniform", "central_bias")
# Safe for colour-blind readers (validated). Fixed order, so that a method keeps its colour.
COLOURS = ("#2a78d6", "#1baf7a", "#eda100", "#008300", "#4a3aa7", "#e34948", "#e87ba4", "#eb6834")


def filmstrip(
    numbers: Sequence[int],
    frames: Sequence[np.ndarray],
    fixations: Sequence[np.ndarray],
    maps: Mapping[str, Mapping[int, np.ndarray]],
) -> bytes:
    """Frames of a video side by side: one row with the gaze, then one row of maps per method.

    Args:
        numbers: numbers of the frames.
        frames: the frames (height, width, 3), RGB.
        fixations: (n, 2) for each frame, x and y in [0, 1].
        maps: maps by method and frame number.

    Returns:
        A jpeg picture.
    """
    height, width = frames[0].shape[:2]
    cell = STRIP_WIDTH // len(frames)
    size = (cell, max(1, round(height * cell / width)))
    small = [cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames]
    gaze = [frame.copy() for frame in small]
    for frame, places in zip(gaze, fixations):
        draw_fixations(frame, places)
    rows = [_label("gaze; frames " + ", ".join(map(str, numbers))), np.hstack(gaze)]
    for method, of_frame in maps.items():
        if method in HIDDEN:
            continue
        drawn = [
            _drawn(frame, of_frame[int(n)]) if int(n) in of_frame else frame // 3
            for n, frame in zip(numbers, small)
        ]
        rows += [_label(method), np.hstack(drawn)]
    picture = cv2.cvtColor(np.vstack([_to_width(row) for row in rows]), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _drawn(frame: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """Overlay the map on the frame; a constant map is labelled "constant" instead."""
    if not is_constant(saliency):
        return overlay(frame, saliency)
    drawn = frame // 2
    place = (6, drawn.shape[0] // 2)
    cv2.putText(drawn, "constant", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255,) * 3, 1, cv2.LINE_AA)
    return drawn


def is_constant(saliency: np.ndarray) -> bool:
    """Whether a map has the same value everywhere and is thus uninformative."""
    low, high = float(np.min(saliency)), float(np.max(saliency))
    return high - low <= 1e-6 * abs(high)


def _label(text: str) -> np.ndarray:
    row = np.full((LABEL_HEIGHT, STRIP_WIDTH, 3), 252, np.uint8)
    place = (2, LABEL_HEIGHT - 7)
    cv2.putText(row, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return row


def _to_width(row: np.ndarray) -> np.ndarray:
    missing = STRIP_WIDTH - row.shape[1]
    return np.pad(row, ((0, 0), (0, missing), (0, 0)), constant_values=252)


def time_plot(frames: np.ndarray, curves: Mapping[str, np.ndarray], label: str) -> bytes:
    """Plot slightly smoothed curves over the frames of a video, as a png picture.

    Args:
        frames: (n,) frame numbers.
        curves: (n,) values by name; NaN marks missing values.
        label: label of the vertical axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    for (name, values), colour in zip(curves.items(), COLOURS):
        shown = _smoothed(np.asarray(values))
        axes.plot(frames, shown, label=one_line(name), color=colour, linewidth=1.8)
    axes.set_xlabel("frame")
    axes.set_ylabel(f"{label} (mean of 5 frames)")
    axes.set_xlim(frames[0], max(frames[-1], frames[0] + 1))
    axes.grid(axis="y", color="#e2e1dc", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    if curves:
        legend = axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)  # "$" in a file name does not start a formula
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _smoothed(values: np.ndarray, length: int = 5) -> np.ndarray:
    known = np.isfinite(values)
    kernel = np.ones(length)
    total = np.convolve(np.where(known, values, 0.0), kernel, mode="full")
    count = np.convolve(known.astype(float), kernel, mode="full")
    middle = slice(length // 2, length // 2 + len(values))
    total, count = total[middle], count[middle]
    return np.where(known, total / np.maximum(count, 1.0), np.nan)
