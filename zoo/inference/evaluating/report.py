"""The page of an evaluation: table, notes and pictures in one file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from zoo.visualize.overlay import draw_fixations, overlay

STRIP_WIDTH = 1100
LABEL_HEIGHT = 22
# Not every method is worth a row of pictures.
HIDDEN = ("uniform", "central_bias")
# Validated for colour-blind readers; fixed order, so that a method keeps its colour.
COLOURS = ("#2a78d6", "#1baf7a", "#eda100", "#008300", "#4a3aa7", "#e34948", "#e87ba4", "#eb6834")

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1c1c1a; background: #fcfcfb; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .35rem .8rem; text-align: right; border-bottom: 1px solid #e2e1dc;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; display: block; margin: .5rem 0; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.best { font-weight: 700; } .muted { color: #6b6a65; } ul { padding-left: 1.2rem; }
"""


def filmstrip(
    numbers: Sequence[int],
    frames: Sequence[np.ndarray],
    fixations: Sequence[np.ndarray],
    maps: Mapping[str, Mapping[int, np.ndarray]],
) -> bytes:
    """Frames of a video side by side, first with the gaze, then a row for each method's maps.

    Args:
        numbers: numbers of the frames.
        frames: the frames (height, width, 3), RGB.
        fixations: per frame (n, 2), x and y in [0, 1].
        maps: method to frame number to its map.

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
            overlay(frame, of_frame[int(n)]) if int(n) in of_frame else frame // 3
            for n, frame in zip(numbers, small)
        ]
        rows += [_label(method), np.hstack(drawn)]
    picture = cv2.cvtColor(np.vstack([_to_width(row) for row in rows]), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _label(text: str) -> np.ndarray:
    row = np.full((LABEL_HEIGHT, STRIP_WIDTH, 3), 252, np.uint8)
    place = (2, LABEL_HEIGHT - 7)
    cv2.putText(row, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return row


def _to_width(row: np.ndarray) -> np.ndarray:
    missing = STRIP_WIDTH - row.shape[1]
    return np.pad(row, ((0, 0), (0, missing), (0, 0)), constant_values=252)


def time_plot(frames: np.ndarray, curves: Mapping[str, np.ndarray], label: str) -> bytes:
    """Curves over the frames of a video, smoothed a little, as a png picture.

    Args:
        frames: (n,) frame numbers.
        curves: name to (n,) values; NaN where there is none.
        label: of the vertical axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    for (name, values), colour in zip(curves.items(), COLOURS):
        axes.plot(frames, _smoothed(np.asarray(values)), label=name, color=colour, linewidth=1.8)
    axes.set_xlabel("frame")
    axes.set_ylabel(f"{label} (mean of 5 frames)")
    axes.set_xlim(frames[0], max(frames[-1], frames[0] + 1))
    axes.grid(axis="y", color="#e2e1dc", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    if curves:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
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


def write_page(
    path: Path, evaluation, pictures: Sequence[tuple[str, Sequence[bytes]]] = ()
) -> None:
    """Write an `Evaluation` as one HTML file that needs no other file.

    Args:
        path: the file.
        evaluation: a `zoo.inference.evaluating.evaluation.Evaluation`.
        pictures: (title, jpeg or png pictures) for each video shown.
    """
    from zoo.inference.writing.output import write_text

    shares = "".join(
        f"<p>{html.escape(name)} explains <b>{share:.1%}</b> of the information that the true "
        "density has over the trained central bias.</p>"
        for name, share in evaluation.explained_information.items()
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in evaluation.notes)
    empty = "".join(
        f"<li>{html.escape(name)}: {_ranges(frames)}</li>"
        for name, frames in evaluation.frames_without_fixations.items()
    )
    settings = "".join(
        f"<li>{html.escape(str(key))}: {html.escape(str(value))}</li>"
        for key, value in evaluation.settings.items()
    )
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Evaluation</title><style>{STYLE}</style>",
        f"<h1>{html.escape(evaluation.title)}</h1>",
        _table(evaluation),
        "<p class='muted'>Mean over a video's frames, then over videos. Lower is better for KL, "
        "higher for all others. Bold: the best, people and the true density aside.</p>",
        shares,
        f"<ul>{notes}</ul>" if notes else "",
        f"<h2>Frames without a fixation</h2><ul>{empty}</ul>" if empty else "",
    ]
    for title, shown in pictures:
        parts.append(f"<h2>{html.escape(title)}</h2>")
        parts += [f"<img alt='{html.escape(title)}' src='{_data_url(data)}'>" for data in shown]
    parts.append(f"<h2>Settings</h2><ul class='muted'>{settings}</ul></html>")
    write_text(path, "\n".join(part for part in parts if part))


def _table(evaluation) -> str:
    from zoo.inference.evaluating.evaluation import METRICS, format_value

    names, best = evaluation.columns, evaluation.best
    head = "".join(f"<th>{METRICS[name][0]}</th>" for name in names)
    rows = []
    for method, values in evaluation.table.items():
        cells = "".join(
            f"<td{' class=best' if best.get(name) == method else ''}>"
            f"{format_value(values.get(name, np.nan))}</td>"
            for name in names
        )
        rows.append(f"<tr><td>{html.escape(method)}</td>{cells}</tr>")
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>"


def _data_url(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _ranges(frames: Sequence[int]) -> str:
    """1 2 3 7 as "1-3, 7"."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + 1:
            runs[-1][1] = frame
        else:
            runs.append([frame, frame])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
