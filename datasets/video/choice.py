"""Which frames of a video belong to a part of it, at a frame rate."""

from __future__ import annotations

import numpy as np

SLACK = 1e-6  # seconds; time stamps are rounded


def chosen_frames(
    times: np.ndarray,
    length: float,
    *,
    fps: float | None = None,
    start: float | None = None,
    end: float | None = None,
) -> np.ndarray:
    """The numbers of a part's frames, none if the part is empty.

    A part begins with the first frame at or after `start`. With `fps`, the frame of a moment is the
    one that is shown then.

    Args:
        times: (frames,) time of each frame in seconds.
        length: Time at which the last frame ends.
        fps: Frame rate of the part; None takes every frame.
        start, end: Time range in seconds; None: from the first frame, to the end.

    Example: `chosen_frames(np.arange(4) / 2, 2.0, start=0.2)` is `[1, 2, 3]`.
    """
    begin = -np.inf if start is None else float(start)
    finish = length if end is None else min(float(end), length)
    part = np.flatnonzero((times >= begin - SLACK) & (times < finish - SLACK))
    if fps is None or not len(part):
        return part
    first = times[part[0]]
    count = max(1, int(np.ceil((finish - first) * fps - SLACK)))
    moments = first + np.arange(count) / fps
    return np.searchsorted(times, moments + SLACK, side="right") - 1
