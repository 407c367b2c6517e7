"""Native recording files of trackers: EyeLink's .asc, and HDF5 of PsychoPy's ioHub."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import replace

import h5py
import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.raw_gaze import RawGaze
from zoo.datasets.gaze.tables import eye_values, in_seconds, of_eyes

ELSEWHERE = "in other parts of the recording"
IOHUB = "data_collection/events/eyetracker"
BINOCULAR = "BinocularEyeSampleEvent"
MONOCULAR = ("MonocularEyeSampleEvent", "GazepointSampleEvent")


def read_asc(path: str, form: CsvFormat, name: str, seconds: float) -> RawGaze:
    """Read the samples of an .asc file with pymovements; times are from the video's first frame.

    With `start_message`, samples before it and more than `seconds` after it belong to other parts
    of the recording and are left out.
    """
    try:
        from pymovements.gaze import from_asc
    except ImportError as error:
        raise ValueError(
            "An .asc file needs the library pymovements: "
            f'pip install "video-attention-zoo[gaze]". Received: {path}'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about metadata that is not needed here
            gaze = from_asc(path, messages=True, encoding=form.encoding or "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"An .asc file must be text in the given `encoding`. Received: {path}: {error}"
        ) from error
    except Exception as error:  # an invalid file can raise any error
        raise ValueError(
            f"An .asc file must have been written by edf2asc. Received: {path}: {error}"
        ) from error
    samples = gaze.samples
    if "pixel" not in samples.columns or not len(samples):
        raise ValueError(f"An .asc file must hold samples. Received: {path} without samples")
    times = samples["time"].to_numpy().astype(np.float64)
    points = np.array(samples["pixel"].to_list(), np.float64)  # x, y of left and right or one eye
    eyes = points.reshape(len(points), -1, 2)
    x, y = (
        [(eyes[:, e, axis], np.isnan(eyes[:, e, axis])) for e in range(eyes.shape[1])]
        for axis in (0, 1)
    )
    found = of_eyes(x, y, [], form)
    viewer = np.zeros(len(times), np.int32)
    raw = RawGaze(found["x"], found["y"], times, viewer, (name,), issues=Counter(), resolution=1.0)
    if form.start_message is not None:
        begin = _message(gaze.messages, form.start_message, path)
        raw.moment = raw.moment - begin
        raw = in_seconds(raw, replace(form, start_message=None), "time", path)
        own = (raw.moment >= 0) & (raw.moment < seconds)
        lost = found["lost"][own]
        return raw.keep(own, ELSEWHERE).keep(~lost)
    return in_seconds(raw, form, "time", path).keep(~found["lost"])


def _message(messages, pattern: str, path: str) -> float:
    held = [] if messages is None else list(zip(messages["time"], messages["content"]))
    for time, content in held:
        if re.search(pattern, content):
            return float(time)
    raise ValueError(
        f"`start_message` must match one of the messages. Received: {pattern!r}; {path} has "
        f"{len(held)} messages: {[content for _, content in held[:5]]}"
    )


def read_iohub(path: str, form: CsvFormat, name: str) -> RawGaze:
    """Read the eye samples of an HDF5 file of PsychoPy's ioHub."""
    try:
        with h5py.File(path, "r") as file:
            group = file[IOHUB]
            kinds = [kind for kind in (BINOCULAR, *MONOCULAR) if kind in group and len(group[kind])]
            table = group[kinds[0]][()] if kinds else None
    except (OSError, KeyError) as error:
        raise ValueError(
            f"An ioHub file must be HDF5 with the group {IOHUB}. Received: {path}: {error}"
        ) from error
    if table is None:
        raise ValueError(f"An ioHub file must hold eye samples. Received: {path} without samples")
    binocular = kinds[0] == BINOCULAR
    sides = ("left_gaze", "right_gaze") if binocular else ("gaze",)
    x, y = (
        [(table[f"{side}_{axis}"].astype(np.float64), np.zeros(len(table), bool)) for side in sides]
        for axis in "xy"
    )
    status = table["status"].astype(np.int64).astype(str)
    valid = [np.isin(status, eye_values(form, eye)) for eye in range(len(sides))]
    found = of_eyes(x, y, valid, form)
    raw = RawGaze(
        found["x"],
        found["y"],
        table["time"].astype(np.float64),
        np.zeros(len(table), np.int32),
        (name,),
    )
    return in_seconds(raw, form, "time", path).keep(~found["lost"])
