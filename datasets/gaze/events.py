"""Reduction of gaze samples: to fixations, or to one sample per viewer and frame."""

from __future__ import annotations

from collections import Counter

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.raw_gaze import RawGaze

THRESHOLDS = {"ivt": 30.0, "idt": 1.0}  # degrees per second; degrees
GAP = 3.0  # a pause of more than this many sampling intervals splits a recording


def one_per_frame(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The median of each viewer's samples in each frame."""
    frame, viewer = (np.asarray(columns[name], np.int64) for name in ("frame", "viewer"))
    if not len(frame):
        return dict(columns)
    key = frame * (viewer.max() - viewer.min() + 1) + viewer - viewer.min()
    found, first = np.unique(key, return_index=True)
    out = {"frame": frame[first], "viewer": viewer[first]}
    for name in ("x", "y"):
        order = np.lexsort((columns[name], key))
        values = np.asarray(columns[name], np.float64)[order]
        start = np.searchsorted(key[order], found)
        count = np.diff(np.append(start, len(values)))
        out[name] = (values[start + (count - 1) // 2] + values[start + count // 2]) / 2
    return out


def fixations_of(raw: RawGaze, form: CsvFormat) -> tuple[RawGaze, str]:
    """Detect fixations in samples given in pixels and seconds.

    Uses pymovements (I-VT and I-DT of Salvucci and Goldberg, 2000). Velocities are computed over
    five samples as by Engbert and Kliegl (2003). A fixation lies at the median of its samples. A
    recording is split at pauses, so that each part has a constant sampling rate.

    Returns:
        The fixations, and a note on the detection.
    """
    events = _events(form.samples)
    threshold = THRESHOLDS[form.samples] if form.threshold is None else form.threshold
    rows: list[tuple[float, float, float, float, int]] = []
    for viewer, times, points in _recordings(raw):
        interval = float(np.median(np.diff(times)))
        least = max(2, round(form.least_seconds / interval))  # samples
        if len(times) < least:
            continue
        degrees = points / form.degree
        if form.samples == "ivt":
            found = events(
                velocities=_velocities(degrees, 1 / interval),
                minimum_duration=least,
                velocity_threshold=threshold,
            )
        else:
            found = events(
                positions=degrees, minimum_duration=least, dispersion_threshold=threshold
            )
        for first, last in zip(found.frame["onset"].to_list(), found.frame["offset"].to_list()):
            last = min(last, len(times) - 1)
            middle = np.median(points[first : last + 1], axis=0)
            seconds = times[last] - times[first] + interval
            rows.append((*middle, times[first], seconds, viewer))
    table = np.array(rows).reshape(-1, 5)
    unit = "degrees per second" if form.samples == "ivt" else "degrees"
    note = (
        f"{len(raw)} samples became {len(table)} fixations by I-{form.samples[1:].upper()} "
        f"({threshold:g} {unit}, at least {form.least_seconds:g} s)"
    )
    fixations = RawGaze(
        table[:, 0],
        table[:, 1],
        table[:, 2],
        table[:, 4].astype(np.int32),
        raw.names,
        duration=table[:, 3],
        issues=Counter(raw.issues),
        resolution=raw.resolution,
        notes=raw.notes,
    )
    return fixations, note


def _recordings(raw: RawGaze):
    """(viewer, times, points) of each part without a pause, in order of time."""
    for viewer in np.unique(raw.viewer):
        own = np.flatnonzero(raw.viewer == viewer)
        own = own[np.argsort(raw.moment[own], kind="stable")]
        own = own[np.concatenate([[True], np.diff(raw.moment[own]) > 0])]
        if len(own) < 2:
            continue
        steps = np.diff(raw.moment[own])
        for part in np.split(own, np.flatnonzero(steps > GAP * np.median(steps)) + 1):
            if len(part) > 1:
                points = np.stack([raw.x[part], raw.y[part]], 1)
                yield int(viewer), raw.moment[part], points


def _velocities(degrees: np.ndarray, rate: float) -> np.ndarray:
    """Velocities in degrees per second, (samples, 2)."""
    padded = np.concatenate([degrees[:1], degrees[:1], degrees, degrees[-1:], degrees[-1:]])
    ahead, behind = padded[4:] + padded[3:-1], padded[1:-3] + padded[:-4]
    return (ahead - behind) * rate / 6


def _events(name: str):
    try:
        import pymovements
    except ImportError as error:
        raise ValueError(
            f"samples={name!r} needs the library pymovements: "
            'pip install "video-attention-zoo[gaze]". Received: an installation without it'
        ) from error
    return getattr(pymovements.events, name)
