"""Finding the option of a gaze description that is probably wrong: the one to change to fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from zoo.datasets.gaze.csv_format import PLACEMENTS, TIME_UNITS, CsvFormat
from zoo.datasets.gaze.placing import VideoShape, place
from zoo.datasets.gaze.raw_gaze import RawGaze
from zoo.datasets.gaze.reading import form_of_video, raw_gaze
from zoo.datasets.record import Record
from zoo.files.interface import advised

MOST = 50_000  # number of samples to try
FITS = 0.8  # fraction of the samples that must lie in the video with the changed option
BETTER = 0.2  # by how much that fraction must exceed that of the unchanged description


def likely_option(record: Record, shape: VideoShape) -> str:
    """Advice on the option that is probably wrong, or an empty text if no single change fits."""
    form = form_of_video(record.gaze.csv, record.video)
    try:
        raw = _some(raw_gaze(record.gaze.paths, form, shape))
    except (ValueError, OSError):
        return ""
    now = _fit(raw, form, shape)
    tried = [
        (_fit(*changed, shape), -at, option)
        for at, (option, changed) in enumerate(_options(raw, form))
    ]
    best, _, (name, value) = max(tried)
    if best < max(FITS, now + BETTER):
        return _beyond(raw, form, shape)
    return (
        f"`{name}` is likely wrong: with {spelled(name, value)} {100 * best:.0f}% of the samples "
        "fit"
    )


def spelled(name: str, value: Any) -> str:
    """An option of a gaze description with its value, in the caller's interface."""
    return advised(f"{name}={value!r}", f'"{name}": {_json(value)} in the gaze description')


def counts_from_one(record: Record, shape: VideoShape) -> bool:
    """Whether frame numbers that are read from 0 run from exactly 1 to the number of frames."""
    form = form_of_video(record.gaze.csv, record.video)
    if form.time is not None or form.first_frame != 0:
        return False
    try:
        moment = raw_gaze(record.gaze.paths, form, shape).moment
    except (ValueError, OSError):
        return False
    moment = moment[np.isfinite(moment)]
    return bool(len(moment)) and (moment.min(), moment.max()) == (1, shape.num_frames)


def _options(raw: RawGaze, form: CsvFormat) -> Iterator[tuple[tuple[str, Any], tuple]]:
    """((option, value), (samples, description)) for each single change."""

    def changed(**changes):
        return (raw, replace(form, **changes))

    for units in ("fraction", "pixels"):
        if form.units != units:
            yield ("units", units), changed(units=units)
    if form.time is not None:
        for unit, scale in TIME_UNITS.items():
            factor = scale / TIME_UNITS.get(form.time_unit, scale)
            if factor != 1:
                yield ("time_unit", unit), (replace(raw, moment=raw.moment * factor), form)
        if form.time_start != "first":
            first = np.full(len(raw.names), np.inf)
            np.fmin.at(first, raw.viewer, raw.moment)
            yield (
                ("time_start", "first"),
                (replace(raw, moment=raw.moment - first[raw.viewer]), form),
            )
    else:
        for number in (0, 1):
            if form.first_frame != number:
                yield ("first_frame", number), changed(first_frame=number)
    other = "centre" if form.origin == "corner" else "corner"
    yield ("origin", other), changed(origin=other)
    yield ("y_up", not form.y_up), changed(y_up=not form.y_up)
    if form.screen is not None:
        for placement in PLACEMENTS[:4]:
            if placement != form.placement:
                yield ("placement", placement), changed(placement=placement, area=None)


def _beyond(raw: RawGaze, form: CsvFormat, shape: VideoShape) -> str:
    """Advice for coordinates beyond the video's frame, which are probably screen coordinates."""
    if form.screen is not None or form.units != "pixels" or not np.isfinite(raw.x).any():
        return ""
    right, low = (float(np.nanpercentile(axis, 99)) for axis in (raw.x, raw.y))
    if right < 1.02 * shape.width and low < 1.02 * shape.height:
        return ""
    return (
        f"the coordinates reach {right:.0f}, {low:.0f}, beyond the video's {shape.width}x"
        f"{shape.height} pixels: describe the screen on which it was shown by `placement` and "
        "`screen`"
    )


def _fit(raw: RawGaze, form: CsvFormat, shape: VideoShape) -> float:
    """Fraction of the samples in the video, reduced if they crowd in one frame or spot."""
    form = replace(form, samples="all")
    columns, _, _ = place(replace(raw), form, shape)
    total = int(np.sum(np.isfinite(raw.x) & np.isfinite(raw.y) & np.isfinite(raw.moment)))
    if not total or not len(columns["frame"]):
        return 0.0
    share = min(1.0, len(columns["frame"]) / total)
    counts = np.bincount(columns["frame"], minlength=shape.num_frames)
    if shape.num_frames >= 10 and counts.max() > 0.5 * counts.sum():
        share *= 1 - counts.max() / counts.sum()
    x, y = columns["x"] * shape.width, columns["y"] * shape.height
    corner = (x < 1.5) & (y < 1.5)
    spot = (np.abs(x - np.median(x)) < 1.5) & (np.abs(y - np.median(y)) < 1.5)
    covered = np.count_nonzero(counts) / min(shape.num_frames, counts.sum())
    return float(share * (1 - (corner | spot).mean()) * min(1.0, 2 * covered))


def _some(raw: RawGaze) -> RawGaze:
    if len(raw) <= MOST:
        return raw
    return raw.keep(np.arange(len(raw)) % -(-len(raw) // MOST) == 0, "not tried")


def _json(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
