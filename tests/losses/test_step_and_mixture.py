"""Cross-entropy of steps and likelihood of fixations, against explicit sums."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.losses import MixtureNLL, step_cross_entropy


def test_sum_and_mean_over_fixations():
    # One Gaussian in the middle, sigma 1: at its mean the density is 1 / (2 pi).
    mixture = np.array([[[[0.0, 0.5, 0.5, 0.0, 0.0, 0.0]]]], "float32")
    fixations = np.array([[[[0.5, 0.5], [0.5, 0.7], [np.nan, np.nan]]]], "float32")
    each = [np.log(2 * np.pi), np.log(2 * np.pi) + 0.2**2 / 2]
    assert float(MixtureNLL()(fixations, mixture)) == pytest.approx(sum(each), rel=1e-5)
    mean = MixtureNLL(over_fixations="mean")
    assert float(mean(fixations, mixture)) == pytest.approx(np.mean(each), rel=1e-5)
    nobody = np.full((1, 1, 2, 2), np.nan, "float32")
    assert float(MixtureNLL()(nobody, mixture)) == float(mean(nobody, mixture)) == 0.0


def test_one_label_and_several_labels():
    steps = np.array([[[0.2, 0.3, 0.5], [0.1, 0.7, 0.2]]], "float32")
    for label in range(3):
        found = float(step_cross_entropy(np.array([label]), steps)[0])
        assert found == pytest.approx(-np.log(steps[0, :, label]).sum(), rel=1e-5)
    truth = np.array([[1, 0, 1]], "float32")
    wanted = -(truth * np.log(steps) + (1 - truth) * np.log(1 - steps)).sum()
    found = float(step_cross_entropy(truth, steps, multi_label=True)[0])
    assert found == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range(label):
    with pytest.raises(ValueError, match="from 0 to 2"):
        step_cross_entropy(np.array([label]), np.full((1, 2, 3), 1 / 3, "float32"))
