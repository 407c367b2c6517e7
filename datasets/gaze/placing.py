"""Conversion of a tracker's times and coordinates to frame numbers and fractions of the frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.events import fixations_of, one_per_frame
from zoo.datasets.gaze.raw_gaze import RawGaze

FARTHEST = 2.0**40  # larger values cannot be frame numbers and would overflow integers
STAMP = 0.001  # seconds; containers that round their time stamps round to milliseconds


@dataclass(frozen=True)
class VideoShape:
    """The facts about a video that are needed to map gaze to it.

    Args:
        num_frames: Number of frames.
        width: Width of the decoded frames in pixels.
        height: Height of the decoded frames in pixels.
        frame_times: (num_frames,) time of each frame in seconds after the first one.
        pixel_aspect: Displayed width of a pixel divided by its height (sample aspect ratio).
        time_resolution: Resolution of the time stamps in the file, in seconds.
    """

    num_frames: int
    width: int
    height: int
    frame_times: np.ndarray | None = None
    pixel_aspect: float = 1.0
    time_resolution: float = STAMP


def place(
    raw: RawGaze, form: CsvFormat, video: VideoShape
) -> tuple[dict, dict[str, int], tuple[str, ...]]:
    """Map gaze samples to a video.

    Returns:
        The columns of `Fixations`; reason -> number of samples left out; notes on the processing.
    """
    notes = raw.notes
    x, y = in_pixels(raw.x, raw.y, form, video)
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(raw.moment)
    if raw.duration is not None:
        finite &= np.isfinite(raw.duration) & (raw.duration >= 0)
    raw.x, raw.y = x, y
    raw = raw.keep(finite, "not a number")
    if form.samples in ("ivt", "idt"):
        raw, note = fixations_of(raw, form)
        notes += (note,)
    raw.x, raw.y = to_video(
        raw.x,
        raw.y,
        width=video.width,
        height=video.height,
        placement=form.placement,
        screen=form.screen,
        area=form.area,
        pixel_aspect=video.pixel_aspect,
    )
    frame, count = _frames(raw, form, video)
    rows = np.repeat(np.arange(len(raw)), count)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    frame = frame[rows] + offset
    x, y, viewer = raw.x[rows], raw.y[rows], raw.viewer[rows]
    late, early = frame >= video.num_frames, frame < 0
    if raw.duration is not None:  # a fixation that continues past the video's end still counts
        first = offset == 0
        beyond = late & first
        late &= ~late | first
        dropped = (frame >= video.num_frames) & ~first
    else:
        beyond, dropped = late, np.zeros(len(frame), bool)
    timely = ~late & ~early & ~dropped
    inside = timely & (x >= 0) & (x < 1) & (y >= 0) & (y < 1)
    issues = {
        "not a number": raw.issues.pop("not a number", 0),
        "before the first frame": int(np.sum(early)),
        "beyond the video's end": int(np.sum(beyond)),
        "outside the frame": int(np.sum(timely & ~inside)),
        **raw.issues,
    }
    columns = {"frame": frame[inside], "x": x[inside], "y": y[inside], "viewer": viewer[inside]}
    if form.samples == "one_per_frame":
        before = len(columns["frame"])
        columns = one_per_frame(columns)
        count = len(columns["frame"])
        notes += (f"{before} samples became {count}, one per viewer and frame",)
    columns["viewer_names"] = raw.names
    return columns, {why: count for why, count in issues.items() if count}, notes


def _frames(raw: RawGaze, form: CsvFormat, video: VideoShape) -> tuple[np.ndarray, np.ndarray]:
    """The first frame of each sample, and the number of frames that it lasts."""
    one = np.ones(len(raw), np.int64)
    if form.frame is not None:
        number = np.clip(np.floor(raw.moment), -FARTHEST, FARTHEST)
        return number.astype(np.int64) - form.first_frame, one
    times = video.frame_times
    if times is None:
        raise ValueError("`frame_times` must be given for gaze with times. Received: None")
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    slack = tolerance(raw.resolution, video.time_resolution, step)
    first = frames_at(raw.moment, times, slack)
    if raw.duration is None:
        return first, one
    last = np.searchsorted(times, raw.moment + raw.duration - slack, side="left") - 1
    last = np.where(raw.moment + raw.duration <= 0, first, np.maximum(last, first))
    begins = np.where((first < 0) & (last >= 0), 0, first)
    return begins, np.where(first >= video.num_frames, 1, last - begins + 1)


def tolerance(resolution: float, stamps: float, step: float) -> float:
    """How many seconds a sample may precede a frame's time stamp and still belong to that frame.

    Rounding can move a time stamp by half of the resolution. The tolerance is half of the coarser
    of the two files' resolutions, plus one percent for the finer one, and at most a quarter of a
    frame.
    """
    return min(max(resolution, stamps) * 0.505, step / 4)


def frames_at(seconds: np.ndarray, times: np.ndarray, slack: float) -> np.ndarray:
    """The frame shown at each time: -1 before the first frame, `len(times)` after the last."""
    frame = np.searchsorted(times, seconds + slack, side="right") - 1
    step = np.median(np.diff(times)) if len(times) > 1 else 0.04
    frame[seconds >= times[-1] + step - slack] = len(times)
    return frame


def in_pixels(
    x: np.ndarray, y: np.ndarray, form: CsvFormat, video: VideoShape
) -> tuple[np.ndarray, np.ndarray]:
    """Convert coordinates to pixels of the screen (or video) from its upper left corner."""
    on_video = form.placement == "video" or form.screen is None
    width, height = (video.width, video.height) if on_video else form.screen
    if form.units == "fraction":
        x, y = x * width, y * height
    elif form.units == "norm":
        x, y = x * width / 2, y * height / 2
    elif form.units == "height":
        x, y = x * height, y * height
    elif form.units == "degrees":
        x, y = (
            np.tan(np.radians(angle)) * form.distance_cm * side / length
            for angle, side, length in zip((x, y), (width, height), form.screen_cm)
        )
    if form.y_up:
        y = -y
    if form.origin == "centre" or form.units in ("norm", "degrees"):
        return x + width / 2, y + height / 2
    return x, (y + height if form.y_up else y)


def to_video(
    x: np.ndarray,
    y: np.ndarray,
    *,
    width: int,
    height: int,
    placement: str = "video",
    screen: tuple[float, float] | None = None,
    area: tuple[float, float, float, float] | None = None,
    pixel_aspect: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Convert pixels to fractions of the video frame; below 0 or above 1 means outside.

    On a screen, the video's displayed width is its width times the sample aspect ratio.
    """
    if placement == "video" or screen is None:
        return x / width, y / height
    if placement == "stretched":
        return x / screen[0], y / screen[1]
    if placement == "area":
        left, top, wide, high = area
        return (x - left) / wide, (y - top) / high
    wide, high = width * pixel_aspect, float(height)
    if placement == "letterboxed":
        scale = min(screen[0] / wide, screen[1] / high)
        wide, high = wide * scale, high * scale
    left, top = (screen[0] - wide) / 2, (screen[1] - high) / 2
    return (x - left) / wide, (y - top) / high
