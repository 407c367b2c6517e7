"""Means of metric values over frames and over videos."""

from __future__ import annotations

import numpy as np
from keras import ops


def frame_mean(values) -> float:
    """The mean over all frames at which the metric is defined, as in DHF1K's evaluation.

    Args:
        values: (frames,) values, NaN where the metric is undefined.

    Returns:
        The mean; NaN if no frame has a value.

    Raises:
        ValueError: `values` has more than one axis.

    Example: `frame_mean([1.0, 3.0, float("nan")])` is 2.0.
    """
    values = _as_array(values)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def video_mean(values, video_ids) -> float:
    """The mean over videos of each video's mean over frames, as in UNISAL's evaluation.

    Args:
        values: (frames,) values, NaN where the metric is undefined.
        video_ids: (frames,) number or name of the video of each frame.

    Returns:
        The mean over videos that have a value; NaN if none has one.

    Raises:
        ValueError: The arrays have other shapes.

    Example: `video_mean([1.0, 3.0, 5.0], ["a", "a", "b"])` is 3.5.
    """
    values = _as_array(values)
    video_ids = np.asarray(video_ids)
    if video_ids.shape != values.shape:
        raise ValueError(
            "`values` and `video_ids` must each have one entry per frame. Received: "
            f"values.shape={values.shape}, video_ids.shape={video_ids.shape}"
        )
    defined = ~np.isnan(values)
    _, videos = np.unique(video_ids[defined], return_inverse=True)
    if not videos.size:
        return float("nan")
    means = np.bincount(videos, weights=values[defined]) / np.bincount(videos)
    return float(means.mean())


def _as_array(values) -> np.ndarray:
    values = np.asarray(ops.convert_to_numpy(values), "float64")
    if values.ndim != 1:
        raise ValueError(f"`values` must have one axis. Received: values.shape={values.shape}")
    return values
