"""Evaluation of a trained saliency model on the test videos.

Apart from `zoo.training.recipe`, because the recipes of action models do without `zoo.evaluate` and
what it imports.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import keras

from zoo.datasets.record import Record
from zoo.inference.evaluate import evaluate
from zoo.inference.evaluating.evaluation import Evaluation


def evaluate_on(
    tested: Sequence[Record], model: keras.Model, records: Sequence[Record], output: Path, **options
) -> Evaluation | None:
    """Evaluate a model that was trained on `records` on the test videos, if there are any."""
    if not tested:
        warnings.warn("There are no test videos: nothing is evaluated.", stacklevel=2)
        return None
    folder = output / "evaluation"
    return evaluate(model, tested, train_records=records, output=folder, overwrite=True, **options)
