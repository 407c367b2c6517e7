"""From a tracker's coordinates and times to frames of a video and fractions of its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.events import fixations_of, one_per_frame
from zoo.datasets.gaze.raw_gaze import RawGaze

FARTHEST = 2.0**40  # frame numbers beyond are no numbers of frames, and too large for integers
STAMP = 0.001  # seconds: containers that round their stamps do so to milliseconds


@dataclass(frozen=True)
class VideoShape:
    """What has to be known about a video to place gaze in it.

    Args:
        num_frames: Frames of the video.
        width: Of the decoded picture, in pixels.
        height: Of the decoded picture, in pixels.
        frame_times: Seconds of the frames from the first one.
        pixel_aspect: Width of a pixel as shown over its height (the sample aspect ratio).
        time_resolution: Step of the stamps in the file, in seconds.
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
    """Columns of `Fixations`, the counted samples that were left out, and what was done."""
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
    if raw.duration is not None:  # a fixation that is partly in the video is in it
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
        notes += (f"{before} samples became {len(columns['frame'])}, one a viewer and frame",)
    columns["viewer_names"] = raw.names
    return columns, {why: count for why, count in issues.items() if count}, notes


def _frames(raw: RawGaze, form: CsvFormat, video: VideoShape) -> tuple[np.ndarray, np.ndarray]:
    """First frame of each sample, and in how many frames it is."""
    one = np.ones(len(raw), np.int64)
    if form.frame is not None:
        number = np.clip(np.floor(raw.moment), -FARTHEST, FARTHEST)
        return number.astype(np.int64) - form.first_frame, one
    times = video.frame_times
    if times is None:
        raise ValueError("`frame_times` must be given where the gaze is timed. Received: None")
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
    """By how much a sample may come before a frame's stamp and still belong to that frame.

    Half of the coarser of the steps in which the two files write times (and a hundredth of that,
    for the finer one): so far rounding moves a frame's own stamp. Never more than a quarter of a
    frame.
    """
    return min(max(resolution, stamps) * 0.505, step / 4)


def frames_at(seconds: np.ndarray, times: np.ndarray, slack: float) -> np.ndarray:
    """The frame shown at each moment: below 0 before the first, the number of frames after."""
    frame = np.searchsorted(times, seconds + slack, side="right") - 1
    step = np.median(np.diff(times)) if len(times) > 1 else 0.04
    frame[seconds >= times[-1] + step - slack] = len(times)
    return frame


def in_pixels(
    x: np.ndarray, y: np.ndarray, form: CsvFormat, video: VideoShape
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates as measured to pixels of the screen (or the video), from the upper left."""
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
    """Pixels as measured to fractions of the video frame; outside it below 0 or above 1.

    On a screen the video is as wide as it is shown: its width times the sample aspect ratio.
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
