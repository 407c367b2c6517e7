"""Segments from temporal attention, and their mean average precision (THUMOS14)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from zoo.metrics.spatial_localisation import runs


@dataclass(frozen=True)
class VideoSegment:
    """A part of a video, with a class.

    Args:
        video: Name of the video.
        label: Class index.
        start: Start in seconds.
        end: End in seconds.
        score: Confidence of a prediction; ignored for the ground truth.

    Raises:
        ValueError: `start` is after `end`.

    Example: `VideoSegment("clip", 3, start=1.5, end=4.0)`
    """

    video: str
    label: int
    start: float
    end: float
    score: float = 1.0

    def __post_init__(self):
        if not self.start <= self.end:
            raise ValueError(
                f"`start` must not be after `end`. Received: video={self.video!r}, "
                f"start={self.start}, end={self.end}"
            )


def attention_segments(
    video: str,
    label: int,
    temporal_attention,
    duration: float,
    *,
    threshold: float = 0.5,
    normalisation: str = "min_max",
    score: float = 1.0,
) -> list[VideoSegment]:
    """Segments with high temporal attention: normalise, threshold, group.

    Args:
        video: Name of the video.
        label: Predicted class.
        temporal_attention: (frames,) weights of equally long parts of the video, or (steps,
            frames), which is averaged over the steps.
        duration: Duration of the video in seconds.
        threshold: Normalised weights above it belong to a segment.
        normalisation: `"min_max"` scales the weights to [0, 1], `"max"` divides by the maximum.
            Constant weights give the whole video as one segment.
        score: Score of the class. A segment's score is this times its mean normalised weight.

    Returns:
        The segments in order of time.

    Raises:
        ValueError: An argument is out of range or has another shape.

    Example: `attention_segments("clip", 3, weights, duration=10.0)`  # weights: (frames,)
    """
    if normalisation not in ("min_max", "max"):
        raise ValueError(f'`normalisation` must be "min_max" or "max". Received: {normalisation!r}')
    weights = np.asarray(ops.convert_to_numpy(temporal_attention), "float64")
    weights = weights.mean(axis=0) if weights.ndim == 2 else weights
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all():
        raise ValueError(
            "`temporal_attention` must be finite, of the shape (frames,) or (steps, frames). "
            f"Received: shape {weights.shape}"
        )
    if duration <= 0:
        raise ValueError(f"`duration` must be above 0. Received: duration={duration}")
    low = weights.min() if normalisation == "min_max" else 0.0
    if weights.max() == weights.min():
        weights = np.ones_like(weights)
    else:
        weights = (weights - low) / (weights.max() - low)
    part = duration / weights.size
    segments = []
    for first, last in runs(weights > threshold):
        confidence = score * float(weights[first:last].mean())
        segments.append(VideoSegment(video, label, first * part, last * part, confidence))
    return segments


def true_segments(records) -> list[VideoSegment]:
    """The segments of records of `zoo.datasets` as ground-truth segments.

    Args:
        records: Records; those without segments are skipped.

    Returns:
        A segment for each segment of the records, with the record's name as the video.

    Example: `true_segments(zoo.datasets.thumos14.load("data/THUMOS14", "test"))`
    """
    return [
        VideoSegment(record.name, segment.label, segment.start, segment.end)
        for record in records
        for segment in record.segments or ()
    ]


def temporal_localisation_map(
    truth: Sequence[VideoSegment],
    predictions: Sequence[VideoSegment],
    *,
    thresholds: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    ambiguous: Sequence[VideoSegment] = (),
    classes: Sequence[int] | None = None,
) -> dict[float, float]:
    """Mean average precision of segments by the official THUMOS14 protocol.

    In each video, each true segment in turn is matched to the unmatched prediction of its class
    with the highest IoU, if that is strictly above the threshold. Unmatched predictions are
    wrong, unless they overlap an ambiguous segment; then they are ignored. Average precision is
    the sum of the precisions at the correct predictions divided by the number of true segments,
    without interpolation; a class without predictions scores 0.

    Args:
        truth: The true segments, in the order of the annotation files.
        predictions: The predicted segments.
        thresholds: IoU thresholds.
        ambiguous: Segments that the annotators were unsure about; their labels are not used.
        classes: The classes to average over; by default those that occur in the truth.

    Returns:
        Threshold -> mean over classes, without classes that have no true segment.

    Raises:
        ValueError: There are no true segments, or none of `classes`.

    Example: `temporal_localisation_map(true_segments(records), segments)`
    """
    by_class = temporal_average_precisions(
        truth, predictions, thresholds=thresholds, ambiguous=ambiguous, classes=classes
    )
    return {t: float(np.nanmean(list(values.values()))) for t, values in by_class.items()}


def temporal_average_precisions(
    truth: Sequence[VideoSegment],
    predictions: Sequence[VideoSegment],
    *,
    thresholds: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    ambiguous: Sequence[VideoSegment] = (),
    classes: Sequence[int] | None = None,
) -> dict[float, dict[int, float]]:
    """Average precision of segments for each class; see `temporal_localisation_map`.

    Args:
        truth: The true segments.
        predictions: The predicted segments.
        thresholds: IoU thresholds.
        ambiguous: Segments; predictions that overlap them do not count as wrong.
        classes: The classes to evaluate; by default those that occur in the truth.

    Returns:
        Threshold -> class -> average precision; NaN for a class without true segments.

    Raises:
        ValueError: There are no true segments, or none of `classes`.

    Example: `temporal_average_precisions(true_segments(records), segments)[0.5]`
    """
    if not truth:
        raise ValueError("`truth` must hold at least one segment. Received: an empty list")
    if classes is None:
        classes = sorted({segment.label for segment in truth})
    elif not {segment.label for segment in truth} & set(classes):
        raise ValueError(f"`classes` must occur in the truth. Received: classes={classes}")
    unsure = _by_video(ambiguous)
    result = {threshold: {} for threshold in thresholds}
    for label in classes:
        true = _by_video(s for s in truth if s.label == label)
        found = _by_video(s for s in predictions if s.label == label)
        positives = sum(len(segments) for segments in true.values())
        for threshold in thresholds:
            right, wrong = [], []
            for video, segments in found.items():
                _judge(
                    segments, true.get(video, []), unsure.get(video, []), threshold, right, wrong
                )
            result[threshold][label] = _precision_at_hits(right, wrong, positives)
    return result


def segment_iou(ones: Sequence[VideoSegment], others: Sequence[VideoSegment]) -> np.ndarray:
    """Temporal IoU of all pairs of segments from two lists.

    Args:
        ones: n segments.
        others: m segments; videos and classes are not compared.

    Returns:
        (n, m) float64.

    Example: `segment_iou([segment], [segment])` is `[[1.0]]`.
    """
    a, b = (
        np.array([(s.start, s.end) for s in segments], "float64").reshape(-1, 2)
        for segments in (ones, others)
    )
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    shared = np.maximum(shared, 0.0)
    both = np.diff(a)[:, :1] + np.diff(b)[:, 0] - shared
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def _by_video(segments) -> dict[str, list[VideoSegment]]:
    videos = {}
    for segment in segments:
        videos.setdefault(segment.video, []).append(segment)
    return videos


def _judge(found, true, unsure, threshold: float, right: list, wrong: list) -> None:
    """Append the scores of one video's predictions to `right` or `wrong`."""
    found = sorted(found, key=lambda segment: -segment.score)
    free = np.ones(len(found), bool)
    for overlaps in segment_iou(true, found):
        overlaps = np.where(free, overlaps, -1.0)
        best = int(np.argmax(overlaps))
        if overlaps[best] > threshold:
            free[best] = False
    ignored = segment_iou(unsure, found).sum(axis=0) > 0
    right.extend(s.score for s, is_free in zip(found, free) if not is_free)
    wrong.extend(s.score for s, is_free, skip in zip(found, free, ignored) if is_free and not skip)


def _precision_at_hits(right: list, wrong: list, positives: int) -> float:
    if not positives:
        return float("nan")
    # Among equal scores, correct predictions come first, as in the official code.
    ranked = sorted([(-score, 0) for score in right] + [(-score, 1) for score in wrong])
    hits = np.array([kind == 0 for _, kind in ranked], bool)
    if not hits.size:
        return 0.0
    precision = np.cumsum(hits) / np.arange(1, hits.size + 1)
    return float(precision[hits].sum() / positives)
