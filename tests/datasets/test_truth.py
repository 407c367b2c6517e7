from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.datasets import ucf_sports
from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.gaze.truth import truth_maps


def test_a_single_fixation_is_a_gaussian_and_a_uniform_share():
    fixations = Fixations([1], [0.5], [0.25], [0], 2)
    maps = truth_maps(fixations, 64, 81, sigma_pixels=4, uniform=0.25)
    assert not maps[0].any() and fixations.empty_frames.tolist() == [0]
    row, column = np.mgrid[:64, :81]
    bell = np.exp(-((row - 16) ** 2 + (column - 40) ** 2) / 32)
    expected = 0.75 * bell / bell.sum() + 0.25 / bell.size
    np.testing.assert_allclose(maps[1], expected, atol=2e-6)
    assert maps[1].sum() == pytest.approx(1, abs=1e-5)
    degrees = truth_maps(fixations, 64, 81, sigma_degrees=2, pixels_per_degree=2, uniform=0.25)
    np.testing.assert_array_equal(maps, degrees)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"sigma_pixels": 0}, {"sigma_degrees": 1}, {"sigma_pixels": 1, "uniform": 1.5}],
)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="Received"):
        truth_maps(Fixations([], [], [], [], 1), 8, 8, **wrong)


def test_the_maps_of_ucf_sports_are_those_of_its_fixations():
    record = ucf_sports.load(data_dir("gaze", "ucf_sports"), partial=True)[0]
    fixations = read_fixations(record).in_frames(0, 6)
    ours = truth_maps(fixations, 404, 720, sigma_pixels=ucf_sports.MAP_SIGMA)
    other = truth_maps(fixations, 404, 720, sigma_pixels=1.25 * ucf_sports.MAP_SIGMA)
    files = sorted(data_dir("gaze", "ucf_sports", "testing", record.name, "maps").iterdir())
    for frame in range(6):
        theirs = cv2.imread(str(files[frame]), cv2.IMREAD_GRAYSCALE).astype(float) / 255
        error = [np.abs(m[frame] / m[frame].max() - theirs).max() for m in (ours, other)]
        assert error[0] < 0.03 < error[1]
