"""Gaze in tables of text: what the columns mean, and from screen to video coordinates."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

PLACEMENTS = ("video", "centred", "stretched", "letterboxed")
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True)
class CsvFormat:
    """What the columns of a gaze csv mean; the first row holds the columns' names.

    Args:
        x: Column of the horizontal coordinate, to the right.
        y: Column of the vertical coordinate, downwards.
        frame: Column of the frame number; None where `time` says it.
        time: Column of the time since the video's beginning; used when `frame` is None.
        viewer: Column of the viewer (any text); None: every file is one viewer.
        file_viewer: With `viewer` None, a regular expression whose first group, found in the
            file's name, is the viewer; None takes the whole name.
        first_frame: Number of the first frame: 0 or 1.
        time_unit: "s", "ms" or "us".
        units: "pixels", or "fraction" (0 to 1 of the width and height).
        placement: Where the coordinates are measured: "video" (in the video's own pixels), or on
            a screen on which the video stood "centred" (not scaled), "stretched" (over the whole
            screen) or "letterboxed" (as large as fits with its shape kept, centred).
        screen: (width, height) of that screen in pixels.
        keep: Pairs of a column and the values of it that count as gaze, e.g.
            (("valid", ("1",)),).
        delimiter: What stands between the columns; a blank means any run of blanks and tabs.
        columns: Names of the columns where the file has no row of names.
        skip_rows: So many rows at the beginning are passed over.
        comment: Rows that begin with this are passed over.
        above: Samples with a coordinate that is not above this number are lost ones.

    Example:
        CsvFormat(frame=None, time="t_ms", time_unit="ms", placement="centred", screen=(1024, 768))
    """

    x: str = "x"
    y: str = "y"
    frame: str | None = "frame"
    time: str | None = None
    viewer: str | None = "viewer"
    first_frame: int = 0
    time_unit: str = "s"
    units: str = "pixels"
    placement: str = "video"
    screen: tuple[float, float] | None = None
    keep: tuple[tuple[str, tuple[str, ...]], ...] = ()
    delimiter: str = ","
    file_viewer: str | None = None
    columns: tuple[str, ...] | None = None
    skip_rows: int = 0
    comment: str | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        if (self.frame is None) == (self.time is None):
            raise ValueError(
                "One of `frame` and `time` must name a column, the other be None. Received: "
                f"frame={self.frame!r}, time={self.time!r}"
            )
        if self.placement not in PLACEMENTS:
            raise ValueError(
                f"`placement` must be one of {PLACEMENTS}. Received: placement={self.placement!r}"
            )
        if self.time_unit not in TIME_UNITS:
            raise ValueError(
                f"`time_unit` must be one of {tuple(TIME_UNITS)}. Received: "
                f"time_unit={self.time_unit!r}"
            )
        if self.units not in ("pixels", "fraction"):
            raise ValueError(
                f'`units` must be "pixels" or "fraction". Received: units={self.units!r}'
            )
        needs = self.placement in ("centred", "letterboxed") or (
            self.placement == "stretched" and self.units == "pixels"
        )
        if needs and self.screen is None:
            raise ValueError(
                f"`screen` (width, height) must be given with placement={self.placement!r}. "
                "Received: screen=None"
            )


def to_video(
    x: np.ndarray,
    y: np.ndarray,
    *,
    width: int,
    height: int,
    placement: str = "video",
    screen: tuple[float, float] | None = None,
    units: str = "pixels",
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates as measured to fractions of the video frame; outside it below 0 or above 1."""
    whole = (width, height) if screen is None or placement == "video" else screen
    if units == "fraction":
        x, y = x * whole[0], y * whole[1]
    if placement in ("video", "stretched"):
        return x / whole[0], y / whole[1]
    scale = 1.0
    if placement == "letterboxed":
        scale = min(whole[0] / width, whole[1] / height)
    left, top = (whole[0] - scale * width) / 2, (whole[1] - scale * height) / 2
    return (x - left) / (scale * width), (y - top) / (scale * height)


def read_csv(
    paths: Sequence[str],
    form: CsvFormat,
    *,
    num_frames: int,
    width: int,
    height: int,
    frame_times: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Fixations as columns frame, x, y, viewer, and the counted samples that were left out."""
    parts = [_read_file(path, form) for path in paths]
    return place(
        parts, form, num_frames=num_frames, width=width, height=height, frame_times=frame_times
    )


def place(
    parts: Sequence[dict],
    form: CsvFormat,
    *,
    num_frames: int,
    width: int,
    height: int,
    frame_times: np.ndarray | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Samples as read, x, y, moment and viewer each, in frames and fractions of the video."""
    names = [name for part in parts for name in dict.fromkeys(part["viewer"])]
    numbers = viewer_numbers(dict.fromkeys(names))
    viewer = np.array([numbers[name] for part in parts for name in part["viewer"]], np.int64)
    x, y, moment = (np.concatenate([part[key] for part in parts]) for key in ("x", "y", "moment"))
    x, y = to_video(
        x,
        y,
        width=width,
        height=height,
        placement=form.placement,
        screen=form.screen,
        units=form.units,
    )
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(moment)
    lost = sum(part.get("lost", 0) for part in parts)
    frame = np.full(len(x), -1, np.int64)
    if form.frame is not None:
        frame[finite] = np.floor(moment[finite]).astype(np.int64) - form.first_frame
    else:
        if frame_times is None:
            raise ValueError("`frame_times` must be given where the gaze is timed. Received: None")
        seconds = moment[finite] * TIME_UNITS[form.time_unit]
        frame[finite] = np.searchsorted(frame_times, seconds + 1e-9, side="right") - 1
        step = np.median(np.diff(frame_times)) if len(frame_times) > 1 else 0.04
        after = seconds >= frame_times[-1] + step
        frame[np.flatnonzero(finite)[after]] = num_frames
    late = finite & (frame >= num_frames)
    early = finite & (frame < 0)
    timely = finite & ~late & ~early
    inside = timely & (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    issues = {
        "not a number": int(np.sum(~finite)),
        "before the first frame": int(np.sum(early)),
        "beyond the video's end": int(np.sum(late)),
        "outside the frame": int(np.sum(timely & ~inside)),
        "lost by the tracker": lost,
    }
    columns = {"frame": frame[inside], "x": x[inside], "y": y[inside], "viewer": viewer[inside]}
    return columns, {why: count for why, count in issues.items() if count}


def viewer_numbers(names) -> dict[str, int]:
    """Numbers for viewers' names: the names themselves where all are whole numbers."""
    try:
        return {name: int(name) for name in names}
    except ValueError:
        return {name: number for number, name in enumerate(names)}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _read_file(path: str, form: CsvFormat) -> dict:
    if not os.path.isfile(path):
        raise FileNotFoundError(f"A gaze file must exist. Received: {path}")
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = _rows(file, form)
        for _ in range(form.skip_rows):
            next(rows, None)
        header = list(form.columns or [name.strip() for name in next(rows, [])])
        wanted = [form.x, form.y, form.frame if form.frame is not None else form.time]
        wanted += [form.viewer] if form.viewer is not None else []
        wanted += [column for column, _ in form.keep]
        missing = [name for name in wanted if name not in header]
        if missing:
            raise ValueError(
                f"A gaze csv must have the columns {wanted}. Received: {path} with {header}; "
                f"missing: {missing}. Other names are given by `CsvFormat`."
            )
        table = [row for row in rows if row]
    first = form.skip_rows + (1 if form.columns else 2)
    at = {name: header.index(name) for name in wanted}
    short = [number for number, row in enumerate(table, first) if len(row) < len(header)]
    if short:
        raise ValueError(
            f"Every row of a gaze csv must have {len(header)} columns. Received: {path}, "
            f"{len(short)} shorter rows, first line {short[0]}"
        )
    for column, values in form.keep:
        table = [row for row in table if row[at[column]].strip() in values]
    x, y, moment = (
        np.array([_number(row[at[name]]) for row in table], np.float64) for name in wanted[:3]
    )
    if form.viewer is None:
        viewer = [file_viewer(path, form.file_viewer)] * len(table)
    else:
        viewer = [row[at[form.viewer]].strip() for row in table]
    part = {"x": x, "y": y, "moment": moment, "viewer": viewer}
    if form.above is not None:
        part = kept(part, ~((x <= form.above) | (y <= form.above)))
    return part


def _rows(file: Iterable[str], form: CsvFormat):
    if form.comment is not None:
        file = (line for line in file if not line.startswith(form.comment))
    if form.delimiter == " ":
        return (line.split() for line in file)
    return csv.reader(file, delimiter=form.delimiter, skipinitialspace=True)


def kept(part: dict, mask: np.ndarray) -> dict:
    """The samples of the mask; the others are counted as lost."""
    chosen = {name: part[name][mask] for name in ("x", "y", "moment")}
    viewer = [name for name, keep in zip(part["viewer"], mask) if keep]
    return {**chosen, "viewer": viewer, "lost": part.get("lost", 0) + int(np.sum(~mask))}


def file_viewer(path: str, pattern: str | None) -> str:
    """The viewer that a file's name tells."""
    name = os.path.basename(path)
    if pattern is None:
        return os.path.splitext(name)[0]
    found = re.search(pattern, name)
    if found is None:
        raise ValueError(f"The file's name must tell the viewer, by {pattern!r}. Received: {path}")
    return found[1]
