"""How good a joint model is on validation videos: both tasks from one pass."""

from __future__ import annotations

import keras
import numpy as np

from zoo.training import scores
from zoo.training.joint_windows import JointWindows


def predict_joint(
    model: keras.Model, windows: JointWindows, every: int = 1
) -> tuple[scores.Predictions, np.ndarray]:
    """Mixtures at every `every`-th step, and each video's class probabilities (videos, classes).

    A video of several windows has the mean of their probabilities.
    """
    actions = [[] for _ in windows.sources]
    listening = _Listening(model, windows, actions)
    return scores.predict_windows(listening, listening, every), np.stack(
        [np.mean(found, axis=0) for found in actions]
    )


class _Listening:
    """Stands between `scores.predict_windows` and a model, and notes the actions."""

    def __init__(self, model, windows, actions):
        self.model, self.windows, self.actions = model, windows, actions
        self.sources = windows.sources
        self.places = []

    def in_order(self):
        for inputs, found, places in self.windows.in_order():
            self.places = places
            yield inputs, found, places

    def predict_on_batch(self, inputs):
        outputs = self.model.predict_on_batch(inputs)
        if "action" in outputs:
            action = keras.ops.convert_to_numpy(outputs["action"])
            for probabilities, (number, _, _) in zip(action, self.places):
                self.actions[number].append(probabilities)
        return outputs


def action_scores(actions: np.ndarray, windows: JointWindows) -> dict[str, float]:
    """Accuracy, or mean average precision, over the videos that have a label."""
    labelled = [n for n, source in enumerate(windows.sources) if source.label is not None]
    if not labelled:
        return {}
    truth = np.stack([np.asarray(windows.sources[n].label) for n in labelled])
    found = actions[labelled]
    if windows.multi_label:
        from zoo.metrics import mean_average_precision

        return {"mean_average_precision": float(mean_average_precision(truth, found))}
    return {"accuracy": float(np.mean(found.argmax(1) == truth))}


def confusion(actions: np.ndarray, windows: JointWindows) -> np.ndarray:
    """Counts (true class, predicted class); with several labels a video counts for each."""
    counts = np.zeros((windows.num_classes, windows.num_classes), np.int64)
    for source, probabilities in zip(windows.sources, actions):
        if source.label is None:
            continue
        label = np.asarray(source.label)
        for true in np.nonzero(label)[0] if label.ndim else [int(label)]:
            counts[int(true), int(probabilities.argmax())] += 1
    return counts
