"""Scores the action output of a joint model on validation videos."""

from __future__ import annotations

import keras
import numpy as np

from zoo.datasets import Action, Samples
from zoo.metrics import mean_average_precision


def labels_of(samples: Samples, target: Action) -> dict[int, np.ndarray]:
    """The labels of the videos that have one, by video number: class index or multi-hot."""
    return {
        video: np.asarray(target.of(record, {}, np.random.default_rng(0))[0])
        for video, record in enumerate(samples.records)
        if target.held_by(record)
    }


def action_scores(
    actions: np.ndarray, labels: dict[int, np.ndarray], *, multi_label: bool = False
) -> dict[str, float]:
    """Loss and accuracy, or loss and mean average precision, over the labelled videos.

    Args:
        actions: class probabilities of all videos, (videos, classes).
        labels: labels by video number, from `labels_of`.
        multi_label: whether labels are multi-hot.
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
    """Confusion matrix (true class, predicted class); a video counts once for each label."""
    counts = np.zeros((actions.shape[1], actions.shape[1]), np.int64)
    for video, label in labels.items():
        for true in np.nonzero(label)[0] if label.ndim else [int(label)]:
            counts[int(true), int(actions[video].argmax())] += 1
    return counts
