"""Average precision and top-k accuracy by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from zoo.metrics import average_precision, mean_average_precision, top_k_accuracy


def test_average_precision_by_hand():
    labels = np.array([[1], [0], [1], [0]])
    scores = np.array([[0.9], [0.8], [0.7], [0.1]])
    assert average_precision(labels, scores)[0] == pytest.approx((1 + 2 / 3) / 2)
    # All equal: a single threshold, whose precision is the fraction of positives.
    assert average_precision(labels, np.zeros((4, 1)))[0] == 0.5


@pytest.mark.parametrize("levels", [None, 4])
def test_average_precision_equals_scikit_learn(levels):
    rng = np.random.default_rng(0)
    labels = (rng.random((60, 5)) < 0.3).astype("int32")
    scores = rng.random((60, 5))
    if levels:
        scores = np.round(scores * levels) / levels
    wanted = [average_precision_score(labels[:, i], scores[:, i]) for i in range(5)]
    np.testing.assert_allclose(average_precision(labels, scores), wanted)
    assert mean_average_precision(labels, scores) == pytest.approx(np.mean(wanted))


def test_a_class_without_positives_is_left_out():
    labels = np.array([[1, 0], [0, 0]])
    scores = np.array([[0.9, 0.5], [0.1, 0.5]])
    assert np.isnan(average_precision(labels, scores)[1])
    assert mean_average_precision(labels, scores) == 1.0
    assert np.isnan(mean_average_precision(np.zeros((2, 2)), scores))


def test_top_k_accuracy():
    rng = np.random.default_rng(1)
    scores, labels = rng.random((50, 7)), rng.integers(0, 7, 50)
    for k in (1, 3, 6):
        wanted = top_k_accuracy_score(labels, scores, k=k, labels=range(7))
        assert top_k_accuracy(labels, scores, k) == pytest.approx(wanted)
    assert top_k_accuracy(np.array([0, 1, 2, 3]), np.zeros((4, 4)), 2) == 0.5


def test_wrong_labels_are_errors():
    scores = np.zeros((2, 3))
    with pytest.raises(ValueError, match=r"class index per sample.*\(2, 3\)"):
        top_k_accuracy(np.eye(3, dtype=int)[:2], scores)
    with pytest.raises(ValueError, match=r"must be from 0 to 2\. Received: labels from 0 to 3"):
        top_k_accuracy(np.array([0, 3]), scores)
    with pytest.raises(ValueError, match="labels from -1 to 1"):
        top_k_accuracy(np.array([-1, 1]), scores)
    with pytest.raises(ValueError, match="`k` must be from 1 to 3"):
        top_k_accuracy(np.array([0, 1]), scores, 4)
    with pytest.raises(ValueError, match="must be multi-hot"):
        mean_average_precision(np.zeros((2, 2)), scores)
    with pytest.raises(ValueError, match="0 or 1 everywhere"):
        mean_average_precision(np.full((2, 3), 2), scores)
    with pytest.raises(ValueError, match="`scores`"):
        mean_average_precision(np.ones((2, 3)), scores[..., None])
    with pytest.raises(ValueError, match="`scores` must be finite"):
        mean_average_precision(np.ones((2, 3)), scores * np.nan)
