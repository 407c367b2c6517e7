"""Reading the fixations of a record from any supported file."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.forms import read_form
from zoo.datasets.gaze.maps import read_maps
from zoo.datasets.gaze.placing import VideoShape, place
from zoo.datasets.gaze.raw_gaze import RawGaze, joined
from zoo.datasets.gaze.recordings import read_asc, read_iohub
from zoo.datasets.gaze.tables import file_viewers, read_table
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.shards.reading import shard_video
from zoo.datasets.video.reading import Video, open_record


class GazeWarning(UserWarning):
    """Some gaze of a record could not be used; the text says how many samples, and why."""


def read_fixations(
    record: Record,
    *,
    num_frames: int | None = None,
    width: int | None = None,
    height: int | None = None,
    frame_times: np.ndarray | None = None,
    shape: VideoShape | None = None,
    fps: float | None = None,
    warn: bool = True,
) -> Fixations:
    """Read the gaze of a record.

    Samples that are not numbers, lie outside the frame or come after the video's end are left
    out. They are counted in `issues` and reported in a `GazeWarning`.

    Args:
        record: The record. Its `start` and `end` restrict the frames.
        num_frames, width, height, frame_times: Facts about the whole video; those not given are
            read from the video.
        shape: The same facts as one object.
        fps: Frame rate at which to sample the frames, as in `open_video(..., fps=fps)`; None
            uses the video's own frames.
        warn: Whether to issue the warning.

    Raises:
        ValueError: The record has no gaze, or a gaze file is invalid.
        FileNotFoundError: A gaze file is missing.

    Example: `read_fixations(record).padded(max_points=20)`  # (num_frames, 20, 2)
    """
    if record.gaze is None:
        raise ValueError(f"The record must have gaze. Received: {record.name!r} without gaze")
    part = fps is not None or record.start is not None or record.end is not None
    given = frame_times is not None or not record.gaze.timed
    if shape is None and None not in (num_frames, width, height) and given:
        shape = VideoShape(num_frames, width, height, frame_times)
    taken = None
    if part or shape is None:
        video = open_record(record, fps=fps)
        shape = video_shape(video, frame_times)
        taken = video.source_indices if part else None
    gaze = record.gaze
    if gaze.format == "shards":
        fixations = shard_video(gaze.paths[0]).fixations()
    else:
        columns, issues, notes = _columns(gaze, shape, record.video)
        fixations = Fixations(**columns, num_frames=shape.num_frames, issues=issues, notes=notes)
    if taken is not None:
        fixations = fixations.take(taken)
    empty = len(fixations.empty_frames)
    if empty:
        fixations.issues["frames without a fixation"] = empty
    if warn and any(fixations.issues.values()):
        issues = ", ".join(f"{count} {why}" for why, count in fixations.issues.items() if count)
        warnings.warn(
            f"Gaze of {record.name}: {issues}; {len(fixations)} samples used.",
            GazeWarning,
            stacklevel=2,
        )
    return fixations


def video_shape(video: Video, frame_times: np.ndarray | None = None) -> VideoShape:
    """The facts about an open video that are needed to map gaze to it."""
    times = video.index.times
    return VideoShape(
        len(times),
        video.width,
        video.height,
        times if frame_times is None else frame_times,
        float(video.sample_aspect),
        video.time_resolution,
    )


def raw_gaze(paths: Sequence[str], form: CsvFormat, video: VideoShape) -> RawGaze:
    """The samples of one or several gaze files, before they are mapped to the video."""
    names = file_viewers(paths, form.file_viewer)
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise FileNotFoundError(f"A gaze file must exist. Received: {missing[0]}")
    if form.file_type == "iohub":
        return joined([read_iohub(path, form, name) for path, name in zip(paths, names)])
    if form.file_type == "asc":
        times = video.frame_times
        seconds = float(times[-1] + np.median(np.diff(times))) if len(times) > 1 else 0.04
        return joined([read_asc(path, form, name, seconds) for path, name in zip(paths, names)])
    return joined([read_table(path, form, name) for path, name in zip(paths, names)])


def form_of_video(form: CsvFormat, video: str) -> CsvFormat:
    """The gaze description with `{video}` and `{stem}` replaced by the video's name."""
    name = os.path.basename(video.rstrip("/"))
    stem = os.path.splitext(name)[0]
    keep = tuple(
        (column, tuple(v.replace("{video}", name).replace("{stem}", stem) for v in values))
        for column, values in form.keep
    )
    message = form.start_message
    if message is not None:
        message = message.replace("{video}", re.escape(name)).replace("{stem}", re.escape(stem))
    return replace(form, keep=keep, start_message=message)


def _columns(gaze: GazeSource, shape: VideoShape, video: str):
    if gaze.format == "csv":
        form = form_of_video(gaze.csv, video)
        return place(raw_gaze(gaze.paths, form, shape), form, shape)
    if gaze.format == "maps":
        return read_maps(
            gaze.paths[0], gaze.key, num_frames=shape.num_frames, first_frame=gaze.first_frame
        )
    return read_form(gaze.format, gaze.paths, gaze.key, shape)
