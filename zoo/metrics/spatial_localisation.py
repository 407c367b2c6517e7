"""Boxes from spatial attention, and the mean average precision of tubes (UCF101-24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from keras import ops


@dataclass(frozen=True)
class VideoTube:
    """A box in each of some consecutive frames of a video, with a class.

    Args:
        video: Name of the video.
        label: Class index.
        start: Frame of the first box, from 0.
        boxes: (frames, 4): x, y, width, height in pixels, as in a record's boxes.
        score: How sure the prediction is; not used for the truth.
    """

    video: str
    label: int
    start: int
    boxes: np.ndarray
    score: float = 1.0

    def __post_init__(self):
        # Float64 at once: sums of the 8-bit boxes of annotation files would wrap around.
        boxes = np.asarray(self.boxes, "float64")
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
            raise ValueError(
                f"`boxes` must have the shape (frames, 4). Received: boxes.shape={boxes.shape}"
            )
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < 0).any():
            raise ValueError(
                "`boxes` must be finite x, y, width, height with sizes of at least 0. "
                f"Received: video={self.video!r}, start={self.start} with other boxes"
            )
        object.__setattr__(self, "boxes", boxes)


def attention_boxes(
    spatial_attention,
    height: int,
    width: int,
    *,
    threshold: float = 0.5,
    normalisation: str | None = None,
):
    """The tightest box around the attended pixels of each frame.

    Masks are resized (bilinear) to the frame and compared with the threshold.

    Args:
        spatial_attention: Masks (frames, rows, columns), as of `SpatialMask`, in [0, 1].
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        threshold: Pixels above it are attended.
        normalisation: None compares the masks as they are; `"max"` divides each by its highest
            value, which a softmax over the places needs.

    Returns:
        (frames, 4) float64: x, y, width, height in pixels; NaN for a frame without an attended
        pixel.
    """
    masks = np.asarray(ops.convert_to_numpy(spatial_attention), "float32")
    if masks.ndim != 3:
        raise ValueError(
            "`spatial_attention` must have the shape (frames, rows, columns). "
            f"Received: spatial_attention.shape={masks.shape}"
        )
    if normalisation not in (None, "max"):
        raise ValueError(f'`normalisation` must be None or "max". Received: {normalisation!r}')
    if normalisation == "max":
        masks = masks / np.maximum(masks.max(axis=(1, 2), keepdims=True), 1e-12)
    boxes = np.full((len(masks), 4), np.nan)
    for box, mask in zip(boxes, masks):
        attended = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) > threshold
        rows, columns = (np.flatnonzero(attended.any(axis=axis)) for axis in (1, 0))
        if rows.size:
            sizes = np.ptp(columns) + 1, np.ptp(rows) + 1
            box[:] = columns[0], rows[0], *sizes
    return boxes


def attention_tubes(
    video: str, label: int, boxes, *, start: int = 0, score: float = 1.0
) -> list[VideoTube]:
    """Tubes from a box a frame: one for each run of frames that have a box.

    Args:
        video: Name of the video.
        label: Predicted class.
        boxes: (frames, 4) as `attention_boxes` returns them, NaN where there is none.
        start: Frame of the first row.
        score: Score of the tubes, such as the class probability.

    Returns:
        The tubes in order of time.
    """
    boxes = np.asarray(boxes, "float64")
    return [
        VideoTube(video, label, start + first, boxes[first:last], score)
        for first, last in runs(~np.isnan(boxes).any(axis=1))
    ]


def true_tubes(records) -> list[VideoTube]:
    """The boxes of records of `zoo.datasets` as true tubes.

    Args:
        records: Records; those without boxes add nothing.

    Returns:
        One tube for each of the records' tubes, named after the record.
    """
    return [
        VideoTube(record.name, tube.label, tube.start, tube.boxes)
        for record in records
        for tube in record.boxes or ()
    ]


def spatial_localisation_map(
    truth: Sequence[VideoTube],
    predictions: Sequence[VideoTube],
    *,
    thresholds: Sequence[float] = (0.05, 0.1, 0.2, 0.3),
    level: str = "tube",
) -> dict[float, float]:
    """Mean average precision of tubes, after the evaluators published for UCF101-24.

    Predictions of a class are taken by falling score over all videos; each takes the free true
    tube of its video and class with the highest IoU, and is right if that is strictly above the
    threshold. Average precision is the area under the precision envelope (VOC, all points).

    Args:
        truth: The true tubes.
        predictions: The predicted tubes; of equal scores the earlier in the list comes first.
        thresholds: Thresholds of the IoU.
        level: `"tube"`: the IoU is that of the times, multiplied by the mean IoU of the boxes
            over the shared frames. `"frame"`: each frame is judged alone.

    Returns:
        The mean over the classes that occur in the truth, by threshold.
    """
    by_class = spatial_average_precisions(truth, predictions, thresholds=thresholds, level=level)
    return {t: float(np.mean(list(values.values()))) for t, values in by_class.items()}


def spatial_average_precisions(
    truth: Sequence[VideoTube],
    predictions: Sequence[VideoTube],
    *,
    thresholds: Sequence[float] = (0.05, 0.1, 0.2, 0.3),
    level: str = "tube",
) -> dict[float, dict[int, float]]:
    """The average precision of each class that `spatial_localisation_map` takes the mean of.

    Args:
        truth: The true tubes.
        predictions: The predicted tubes.
        thresholds: Thresholds of the IoU.
        level: `"tube"` or `"frame"`.

    Returns:
        Average precisions by threshold and class.
    """
    if level not in ("tube", "frame"):
        raise ValueError(f'`level` must be "tube" or "frame". Received: level={level!r}')
    if not truth:
        raise ValueError("`truth` must hold at least one tube. Received: an empty list")
    if level == "frame":
        truth, predictions = _frames(truth), _frames(predictions)
    result = {}
    for threshold in thresholds:
        result[threshold] = {}
        for label in sorted({tube.label for tube in truth}):
            hits, positives = _match(truth, predictions, label, threshold, level == "frame")
            result[threshold][label] = _envelope_area(hits, positives)
    return result


def tube_iou(one: VideoTube, other: VideoTube) -> float:
    """IoU of the times, multiplied by the mean IoU of the boxes over the shared frames.

    Args:
        one: A tube.
        other: Another tube; video and class are not compared.

    Returns:
        A number in [0, 1].
    """
    first = max(one.start, other.start)
    last = min(one.start + len(one.boxes), other.start + len(other.boxes))
    if first >= last:
        return 0.0
    a = one.boxes[first - one.start : last - one.start]
    b = other.boxes[first - other.start : last - other.start]
    ends = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    sides = np.maximum(ends - np.maximum(a[:, :2], b[:, :2]), 0.0)
    shared = np.prod(sides, axis=1)
    both = np.prod(a[:, 2:], axis=1) + np.prod(b[:, 2:], axis=1) - shared
    space = np.divide(shared, both, out=np.zeros_like(both), where=both > 0).mean()
    return float((last - first) / (len(one.boxes) + len(other.boxes) - (last - first)) * space)


def runs(member: np.ndarray) -> list[tuple[int, int]]:
    """First and last (exclusive) index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.asarray(member, "int8"), 0]))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2])]


def _frames(tubes: Sequence[VideoTube]) -> list[VideoTube]:
    return [
        VideoTube(tube.video, tube.label, tube.start + i, tube.boxes[i : i + 1], tube.score)
        for tube in tubes
        for i in range(len(tube.boxes))
    ]


def _match(
    truth, predictions, label: int, threshold: float, by_frame: bool
) -> tuple[np.ndarray, int]:
    """Whether each prediction, by falling score, is right; and the number of true tubes."""
    free, positives = {}, 0

    def key(tube: VideoTube):  # Single frames only meet in the same frame: short lists.
        return (tube.video, tube.start) if by_frame else tube.video

    for tube in truth:
        if tube.label == label:
            free.setdefault(key(tube), []).append(tube)
            positives += 1
    ranked = sorted((p for p in predictions if p.label == label), key=lambda p: -p.score)
    hits = np.zeros(len(ranked), bool)
    for i, prediction in enumerate(ranked):
        candidates = free.get(key(prediction), [])
        if not candidates:
            continue
        overlaps = [tube_iou(prediction, tube) for tube in candidates]
        best = int(np.argmax(overlaps))
        if overlaps[best] > threshold:
            hits[i] = True
            del candidates[best]
    return hits, positives


def _envelope_area(hits: np.ndarray, positives: int) -> float:
    if not hits.any():
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / positives)
