"""File formats of gaze that single publishers use, in addition to tables and maps."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.placing import VideoShape, place
from zoo.datasets.gaze.raw_gaze import RawGaze, joined
from zoo.datasets.gaze.tables import file_viewer
from zoo.files.file_state import file_state
from zoo.files.mat import load_mat, mat_field

# The recordings of Mathe and Sminchisescu: one file per viewer and clip, no header, 500 Hz. Events
# are F (fixation), S (saccade) and B (blink). Like the published readers, drop only blinks and
# coordinates that are not positive.
MATHE = CsvFormat(
    x="x",
    y="y",
    frame=None,
    time="time",
    time_unit="us",
    viewer=None,
    file_viewer=r"^(\d+)_",
    placement="letterboxed",
    screen=(1280, 1024),
    keep=(("event", ("F", "S")),),
    delimiter=" ",
    columns=("time", "second", "third", "x", "y", "event"),
    above=0,
)
# The raw recordings of DHF1K: a header row, then fixations, saccades and blinks.
DHF1K = CsvFormat(
    x="x",
    y="y",
    frame=None,
    time="time",
    time_unit="us",
    viewer=None,
    file_viewer=r"^P(\d+)_",
    placement="letterboxed",
    screen=(1440, 900),
    keep=(("event", ("F",)),),
    delimiter=" ",
    columns=("time", "x", "y", "event"),
    skip_rows=1,
)
TIMED = CsvFormat(frame=None, time="time", units="fraction")
FRAMED = CsvFormat()
FIXATIONS = CsvFormat(frame=None, time="start", duration="duration")
DIEM_RATE = 30  # rows per second
DIEM = CsvFormat(frame=None, time="time", placement="centred", screen=(1280, 960))
FORMS = ("vig", "diem", "ledov", "coutrot")


def read_form(
    kind: str, paths: Sequence[str], key: str, video: VideoShape
) -> tuple[dict[str, np.ndarray], dict[str, int], tuple[str, ...]]:
    """Read gaze in a publisher's own format.

    Args:
        kind: One of `FORMS`.
        paths: Files: one per viewer for `vig` and `diem`, otherwise one for all viewers.
        key: For `coutrot`, the name of the clip inside the file.
        video: Facts about the video.

    Returns:
        The columns of `Fixations`; reason -> number of samples left out; notes on the processing.
    """
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(f"A gaze file must exist. Received: {missing[0]}")
    if kind == "vig":
        parts, form = [vig(path) for path in paths], TIMED
    elif kind == "diem":
        parts, form = [diem(path) for path in paths], DIEM
    elif kind == "ledov":
        parts, form = [ledov(path) for path in paths], FIXATIONS
    else:
        parts, form = [part for path in paths for part in coutrot(path, key)], FRAMED
    return place(joined(parts), form, video)


def vig(path: str) -> RawGaze:
    """Read a file by Vig, Dorr and Cox: comments, `gaze W H`, `geometry ...`, and samples.

    Each sample is a row t_us, x, y, confidence. W and H are the size of the stimulus in the units
    of x and y, independent of the size of the video file.
    """
    size, rows = None, []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            parts = line.split()
            if not parts or line.startswith("#") or parts[0] == "geometry":
                continue
            try:
                if parts[0] == "gaze":
                    size = float(parts[1]), float(parts[2])
                else:
                    rows.append(tuple(map(float, parts[:4])))
                    if len(parts) < 4:
                        raise ValueError("fewer than 4 columns")
            except (ValueError, IndexError) as error:
                raise ValueError(
                    "A row must be `microseconds x y confidence`. Received: "
                    f"{path}, line {number}: {line.strip()[:60]!r}"
                ) from error
    if size is None or not rows:
        raise ValueError(
            "A gaze file by Vig, Dorr and Cox must have a line `gaze WIDTH HEIGHT` and samples. "
            f"Received: {path} with {len(rows)} samples"
        )
    time, x, y, confidence = np.array(rows).T
    viewer = file_viewer(path, r"^\D*(\d+)_")
    raw = _of_viewer(x / size[0], y / size[1], time / 1e6, viewer)
    return raw.keep(confidence > 0)


def diem(path: str) -> RawGaze:
    """Read a file of DIEM: frame, then x, y, dilation and event of the left and the right eye.

    Each row is a thirtieth of a second; frames count from 1. The mean of the eyes that are
    fixating (event 1) is taken.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ValueError(f"A file of DIEM must hold numbers. Received: {path}: {error}") from error
    if table.shape[1] != 9:
        raise ValueError(
            f"A file of DIEM must have 9 columns. Received: {path} with {table.shape[1]}"
        )
    eyes = np.stack([table[:, 1:5], table[:, 5:9]])  # (2, rows, 4)
    fixates = (eyes[..., 3] == 1) & np.isfinite(eyes[..., :2]).all(-1)
    count = fixates.sum(0)
    x, y = (np.where(fixates, eyes[..., at], 0).sum(0) / np.maximum(count, 1) for at in (0, 1))
    viewer = file_viewer(path, r"^(diem\d+s\d+)")
    return _of_viewer(x, y, (table[:, 0] - 0.5) / DIEM_RATE, viewer).keep(count > 0)


def ledov(path: str) -> RawGaze:
    """Read Data.mat of LEDOV; a fixation counts in every frame shown while it lasted."""
    rows = np.asarray(mat_field(path, "fixdata"), np.float64)
    rows = rows if rows.ndim == 2 and rows.shape[1] >= 5 else rows.T
    if rows.ndim != 2 or rows.shape[1] < 5:
        raise ValueError(
            "`fixdata` must have rows of subject, start, duration, x and y. Received: "
            f"{path} of shape {rows.shape}"
        )
    subject, start, duration, x, y = rows[:, :5].T
    subjects, viewer = np.unique(subject.astype(np.int64), return_inverse=True)
    names = tuple(str(number) for number in subjects)
    seconds = duration / 1000
    return RawGaze(x, y, start / 1000, viewer.reshape(-1).astype(np.int32), names, seconds)


def _of_viewer(x: np.ndarray, y: np.ndarray, moment: np.ndarray, name: str) -> RawGaze:
    return RawGaze(x, y, moment, np.zeros(len(x), np.int32), (name,))


def coutrot(path: str, clip: str) -> list[RawGaze]:
    """Read one clip from Coutrot's file: 2 x frames x viewers, NaN where gaze is unknown."""
    held = coutrot_clips(path)
    if clip not in held:
        raise ValueError(f"The file must hold the clip. Received: {clip!r}; {path} has {[*held]}")
    parts, before = [], 0
    for data in held[clip]:
        known = np.isfinite(data).all(0)
        frame, viewer = np.nonzero(known)
        part = RawGaze(
            data[0][known],
            data[1][known],
            frame.astype(np.float64),
            viewer.astype(np.int32),
            tuple(str(before + number) for number in range(data.shape[2])),
        )
        if not known.all():
            part.issues["lost by the tracker"] = int(known.size - known.sum())
        parts.append(part)
        before += data.shape[2]
    return parts


_COUTROT: dict[tuple, dict[str, list[np.ndarray]]] = {}


def coutrot_clips(path: str | os.PathLike) -> dict[str, list[np.ndarray]]:
    """Clip -> its arrays, one per sound condition, found at any depth of the file's structs."""
    stamp = (os.fspath(path), *file_state(path))
    if stamp not in _COUTROT:
        _COUTROT.clear()  # keep only the last file: its clips are read one after another
        found: dict[str, list[np.ndarray]] = {}
        for name, value in load_mat(path).items():
            _collect(name, value, found)
        if not found:
            raise ValueError(
                "The file must hold clips with `data` of 2 x frames x viewers. "
                f"Received: {path} without clips"
            )
        _COUTROT[stamp] = found
    return _COUTROT[stamp]


def _collect(name: str, value, found: dict[str, list[np.ndarray]]) -> None:
    if not isinstance(value, dict):
        return
    data = value.get("data")
    if isinstance(data, np.ndarray) and data.ndim == 2:  # a single viewer
        data = data[..., None]
    if isinstance(data, np.ndarray) and data.ndim == 3 and data.shape[0] == 2:
        found.setdefault(name, []).append(np.asarray(data, np.float64))
        return
    for inner, below in value.items():
        _collect(inner, below, found)
