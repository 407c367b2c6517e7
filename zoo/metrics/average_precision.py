"""Average precision and top-k accuracy of action recognition."""

from __future__ import annotations

import numpy as np
from keras import ops


def average_precision(labels, scores) -> np.ndarray:
    """Non-interpolated average precision of each class.

    The mean over positives of the precision at their score, where equal scores form one
    threshold. This is the measure of Hollywood2 and scikit-learn's `average_precision_score`.

    Args:
        labels: (samples, classes), 1 if the sample shows the class, otherwise 0.
        scores: (samples, classes); higher means more confident.

    Returns:
        (classes,) float64; NaN for a class without positives.

    Raises:
        ValueError: Labels or scores have invalid shapes or values.

    Example: `average_precision([[1, 0], [0, 1]], [[0.9, 0.2], [0.3, 0.8]])` is `[1.0, 1.0]`.
    """
    labels, scores = _matrix("labels", labels), _matrix("scores", scores)
    if labels.shape != scores.shape:
        raise ValueError(
            "`labels` must be multi-hot and have the shape of `scores`. "
            f"Received: labels.shape={labels.shape}, scores.shape={scores.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(
            f"`labels` must be 0 or 1 everywhere. Received: labels with {np.unique(labels)[:5]}"
        )
    return np.array([_average_precision(y, s) for y, s in zip(labels.T, scores.T)])


def mean_average_precision(labels, scores) -> float:
    """Mean of `average_precision` over classes, without classes that have no positives.

    Args:
        labels: (samples, classes), 1 if the sample shows the class, otherwise 0.
        scores: (samples, classes); higher means more confident.

    Returns:
        The mean; NaN if no class has positives.

    Raises:
        ValueError: Labels or scores have invalid shapes or values.

    Example: `mean_average_precision([[1, 0], [0, 1]], [[0.9, 0.2], [0.3, 0.8]])` is 1.0.
    """
    values = average_precision(labels, scores)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def top_k_accuracy(labels, scores, k: int = 1) -> float:
    """Fraction of the samples whose class is among the k highest scores.

    Of classes with equal scores, those with lower indices count as higher. So a model that gives
    all classes the same score is right only about class 0.

    Args:
        labels: (samples,) class indices.
        scores: (samples, classes).
        k: Number of highest scores to consider.

    Returns:
        The fraction; NaN without samples.

    Raises:
        ValueError: Labels or scores have invalid shapes or values, or `k` is out of range.

    Example: `top_k_accuracy([0, 1], [[0.9, 0.1], [0.8, 0.2]], k=1)` is 0.5.
    """
    labels = np.asarray(ops.convert_to_numpy(labels))
    scores = _matrix("scores", scores)
    if labels.shape != scores.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            "`labels` must be one class index per sample, not multi-hot. Received: "
            f"labels.shape={labels.shape}, labels.dtype={labels.dtype}, "
            f"scores.shape={scores.shape}"
        )
    classes = scores.shape[1]
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"`labels` must be from 0 to {classes - 1}. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    if not 1 <= k <= classes:
        raise ValueError(f"`k` must be from 1 to {classes}. Received: k={k}")
    if not labels.size:
        return float("nan")
    own = np.take_along_axis(scores, labels[:, None].astype("int64"), axis=1)
    earlier = np.arange(classes) < labels[:, None]
    rank = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return float((rank < k).mean())


def _average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    positives = labels.sum()
    if not positives:
        return float("nan")
    ends = np.r_[np.flatnonzero(np.diff(scores)), scores.size - 1]
    hits = np.cumsum(labels)[ends]
    return float(np.diff(hits, prepend=0.0) @ (hits / (ends + 1)) / positives)


def _matrix(name: str, values) -> np.ndarray:
    values = np.asarray(ops.convert_to_numpy(values), "float64")
    if values.ndim != 2:
        raise ValueError(
            f"`{name}` must have the shape (samples, classes). "
            f"Received: {name}.shape={values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"`{name}` must be finite. Received: {name} with NaN or inf")
    return values
