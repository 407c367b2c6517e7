"""How good a joint model is on validation videos: both tasks from one pass."""

from __future__ import annotations

import keras
import numpy as np

from zoo.datasets import Action, Samples
from zoo.metrics import mean_average_precision


def labels_of(samples: Samples, target: Action) -> dict[int, np.ndarray]:
    """Number of each video with a label -> its label, an index or multi-hot."""
    return {
        video: np.asarray(target.of(record, {}, np.random.default_rng(0))[0])
        for video, record in enumerate(samples.records)
        if target.held_by(record)
    }


def action_scores(
    actions: np.ndarray, labels: dict[int, np.ndarray], *, multi_label: bool = False
) -> dict[str, float]:
    """Loss, and accuracy or mean average precision, over the videos that have a label.

    Args:
        actions: class probabilities of all videos, (videos, classes).
        labels: see `labels_of`.
        multi_label: labels are multi-hot.
    """
    if not labels:
        return {}
    truth, found = np.stack(list(labels.values())), actions[list(labels)]
    if multi_label:
        loss = keras.losses.BinaryCrossentropy()
        values = {"mean_average_precision": float(mean_average_precision(truth, found))}
    else:
        loss = keras.losses.SparseCategoricalCrossentropy()
        values = {"accuracy": float(np.mean(found.argmax(1) == truth))}
    return {**values, "action_loss": float(loss(truth, found))}


def confusion(actions: np.ndarray, labels: dict[int, np.ndarray]) -> np.ndarray:
    """Counts (true class, predicted class); with several labels a video counts for each."""
    counts = np.zeros((actions.shape[1], actions.shape[1]), np.int64)
    for video, label in labels.items():
        for true in np.nonzero(label)[0] if label.ndim else [int(label)]:
            counts[int(true), int(actions[video].argmax())] += 1
    return counts
