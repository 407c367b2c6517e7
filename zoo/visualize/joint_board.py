"""TensorBoard callback for a joint model: saliency overlays and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np

from zoo.visualize.tensorboard import Sample, TensorBoard, _image

CELL = 36  # side of a matrix cell, in pixels


class JointBoard(TensorBoard):
    """`TensorBoard` for two tasks: it adds the confusion matrix of the validation videos.

    Args:
        log_dir, samples, configuration: see `TensorBoard`.
        counts: function from the model to its confusion matrix (true class, predicted class).
        classes: names of the classes.

    Example: `JointBoard("logs", counts=lambda model: matrix, classes=("run", "walk"))`
    """

    def __init__(
        self,
        log_dir: str | Path,
        *,
        counts: Callable[[keras.Model], np.ndarray],
        classes: Sequence[str],
        samples: Sequence[Sample] = (),
        **options,
    ):
        super().__init__(log_dir, samples=samples, **options)
        self.counts = counts
        self.classes = tuple(classes)

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        matrix = confusion_picture(self.counts(self.model), self.classes)
        self._write("validation", epoch + 1, [_image("confusion", matrix)])
        for writer in self._writers.values():
            writer.flush()


def confusion_picture(counts: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Draw a confusion matrix: rows are true classes; darker is a larger share of its row."""
    counts = np.asarray(counts)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(
            "`counts` must be square with one row per class. "
            f"Received: counts of shape {counts.shape}, {len(classes)} classes"
        )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    grey = (255 * (1 - 0.85 * shares)).astype(np.uint8)
    cells = np.repeat(np.repeat(grey, CELL, axis=0), CELL, axis=1)
    margin = 8 + 8 * max(len(name) for name in classes)
    picture = np.full((len(cells) + 24, cells.shape[1] + margin, 3), 255, np.uint8)
    picture[: len(cells), margin:] = cells[..., None]
    for row, name in enumerate(classes):
        base = row * CELL + CELL // 2 + 4
        _write(picture, name, (4, base), 0)
        _write(picture, str(row), (margin + row * CELL + 12, len(cells) + 16), 0)
        for column, count in enumerate(counts[row]):
            dark = 255 if shares[row, column] > 0.5 else 0
            if count:
                _write(picture, str(count), (margin + column * CELL + 8, base), dark)
    return picture


def _write(picture, text, place, grey):
    font, colour = cv2.FONT_HERSHEY_SIMPLEX, (grey, grey, grey)
    cv2.putText(picture, text, place, font, 0.4, colour, 1, cv2.LINE_AA)
