"""Reads the fixations of a record, whatever file they came from."""

from __future__ import annotations

import warnings

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.forms import read_form
from zoo.datasets.gaze.maps import read_maps
from zoo.datasets.gaze.tables import read_csv
from zoo.datasets.record import Record
from zoo.datasets.shards.reading import shard_video
from zoo.datasets.video.reading import open_video


class GazeWarning(UserWarning):
    """Gaze that could not be used: how many samples of which record, and why."""


def read_fixations(
    record: Record,
    *,
    num_frames: int | None = None,
    width: int | None = None,
    height: int | None = None,
    frame_times: np.ndarray | None = None,
    fps: float | None = None,
    warn: bool = True,
) -> Fixations:
    """Read the gaze of a record.

    What is not given about the video is read from the video itself. `fps` is a wanted frame
    rate: the fixations are then those of the frames that `open_video(..., fps=fps)` gives; the
    record's `start` and `end` count likewise. Samples outside the frame, that are no number, or
    beyond the video's end are left out, counted in `issues`, and named in a `GazeWarning`.
    """
    if record.gaze is None:
        raise ValueError(f"The record must have gaze. Received: record {record.name!r} without")
    part = fps is not None or record.start is not None or record.end is not None
    given = frame_times is not None or not record.gaze.timed
    known = None not in (num_frames, width, height) and given
    taken = None
    if part or not known:
        video = open_video(record.video, fps=fps, start=record.start, end=record.end)
        times = video.source_times
        num_frames, height, width = len(times), video.height, video.width
        frame_times = times if frame_times is None else frame_times
        taken = video.source_indices if part else None
    gaze, size = record.gaze, {"num_frames": num_frames, "width": width, "height": height}
    if gaze.format == "shards":
        fixations = shard_video(gaze.paths[0]).fixations()
    else:
        if gaze.format == "csv":
            columns, issues = read_csv(gaze.paths, gaze.csv, **size, frame_times=frame_times)
        elif gaze.format == "maps":
            columns, issues = read_maps(gaze.paths[0], gaze.key, num_frames=num_frames)
        else:
            columns, issues = read_form(
                gaze.format, gaze.paths, gaze.key, **size, frame_times=frame_times
            )
        fixations = Fixations(**columns, num_frames=num_frames, issues=issues)
    if taken is not None:
        fixations = fixations.take(taken)
    empty = len(fixations.empty_frames)
    if empty:
        fixations.issues["frames without a fixation"] = empty
    if warn and any(fixations.issues.values()):
        told = ", ".join(f"{count} {why}" for why, count in fixations.issues.items() if count)
        warnings.warn(
            f"Gaze of {record.name}: {told}; {len(fixations)} samples used.",
            GazeWarning,
            stacklevel=2,
        )
    return fixations
