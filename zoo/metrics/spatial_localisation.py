"""Boxes from spatial attention, and the mean average precision of box tubes (UCF101-24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from keras import ops


@dataclass(frozen=True)
class VideoTube:
    """Boxes in consecutive frames of a video, with a class.

    Args:
        video: Name of the video.
        label: Class index.
        start: Frame of the first box, counted from 0.
        boxes: (frames, 4): x, y, width, height in pixels, as in a record's boxes.
        score: Confidence of a prediction; ignored for the ground truth.

    Raises:
        ValueError: The boxes have another shape, are not finite, or have a negative size.

    Example: `VideoTube("clip", 3, start=10, boxes=[[20, 30, 64, 48], [21, 30, 64, 48]])`
    """

    video: str
    label: int
    start: int
    boxes: np.ndarray
    score: float = 1.0

    def __post_init__(self):
        # Convert to float64 first: sums of 8-bit boxes from annotation files would overflow.
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

    Masks are resized (bilinearly) to the frame's size and compared with the threshold.

    Args:
        spatial_attention: Masks (frames, rows, columns) in [0, 1], as from `SpatialMask`.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        threshold: Pixels above it count as attended.
        normalisation: None uses the masks unchanged; `"max"` divides each mask by its maximum,
            which is needed for a softmax over positions.

    Returns:
        (frames, 4) float64: x, y, width, height in pixels; NaN for frames without attended
        pixels.

    Raises:
        ValueError: The masks have another shape, or there is no such normalisation.

    Example: `attention_boxes(masks, 240, 320, threshold=0.5)`  # masks: (frames, 7, 7)
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
    """Tubes from one box per frame: one tube for each run of frames that have a box.

    Args:
        video: Name of the video.
        label: Predicted class.
        boxes: (frames, 4) as returned by `attention_boxes`, NaN where there is no box.
        start: Frame that the first row belongs to.
        score: Score of the tubes, such as the class probability.

    Returns:
        The tubes in order of time.

    Example: `attention_tubes("clip", 3, attention_boxes(masks, 240, 320), score=0.8)`
    """
    boxes = np.asarray(boxes, "float64")
    return [
        VideoTube(video, label, start + first, boxes[first:last], score)
        for first, last in runs(~np.isnan(boxes).any(axis=1))
    ]


def true_tubes(records) -> list[VideoTube]:
    """The boxes of records of `zoo.datasets` as ground-truth tubes.

    Args:
        records: Records; those without boxes are skipped.

    Returns:
        A tube for each tube of the records, with the record's name as the video.

    Example: `true_tubes(zoo.datasets.ucf101_24.load("data/UCF101", "test"))`
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
    """Mean average precision of tubes, following the evaluators published for UCF101-24.

    For each class, the predictions of all videos are processed in descending order of score. Each
    one is matched to the unmatched true tube of its video and class with the highest IoU, and is
    correct if that IoU is strictly above the threshold. Average precision is the area under the
    precision envelope (VOC, all points).

    Args:
        truth: The true tubes.
        predictions: The predicted tubes; with equal scores, the earlier in the list comes first.
        thresholds: IoU thresholds.
        level: `"tube"`: the temporal IoU, multiplied by the mean IoU of the boxes over the shared
            frames. `"frame"`: each frame is evaluated separately.

    Returns:
        Threshold -> mean over the classes that occur in the truth.

    Raises:
        ValueError: There are no true tubes, or there is no such level.

    Example: `spatial_localisation_map(true_tubes(records), tubes, thresholds=(0.2, 0.5))`
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
    """Average precision of tubes for each class; see `spatial_localisation_map`.

    Args:
        truth: The true tubes.
        predictions: The predicted tubes.
        thresholds: IoU thresholds.
        level: `"tube"` or `"frame"`.

    Returns:
        Threshold -> class -> average precision.

    Raises:
        ValueError: There are no true tubes, or there is no such level.

    Example: `spatial_average_precisions(true_tubes(records), tubes)[0.2]`
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
    """The temporal IoU of two tubes, multiplied by the mean IoU of the boxes in shared frames.

    Args:
        one: A tube.
        other: Another tube; video and class are not compared.

    Returns:
        A number in [0, 1].

    Example: `tube_iou(tube, tube)` is 1.0.
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
    """First index, and index after the last, of each run of true values."""
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
    """Whether each prediction, in descending order of score, is correct; number of true tubes."""
    free, positives = {}, 0

    def key(tube: VideoTube):  # single frames match only within the same frame
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
