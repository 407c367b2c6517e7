import numpy as np
import pytest

from zoo.inference.writing.candidates import map_candidates, mixture_candidates


def test_separate_components_are_the_modes():
    mixture = np.array(
        [[np.log(0.2), 0.2, 0.3, -4.0, -4.0, 0.3], [np.log(0.8), 0.8, 0.7, -4.0, -4.0, -0.3]]
    )
    got = mixture_candidates(mixture)
    np.testing.assert_allclose(got, [[0.8, 0.7, 0.8], [0.2, 0.3, 0.2]], atol=1e-3)


def test_components_that_merge_have_one_mode():
    # Two equal components less than two sigmas apart have a single mode in the middle.
    mixture = np.array([[0.0, 0.45, 0.5, -2.0, -2.0, 0.0], [0.0, 0.55, 0.5, -2.0, -2.0, 0.0]])
    got = mixture_candidates(mixture)
    assert got.shape == (1, 3)
    np.testing.assert_allclose(got[0], [0.5, 0.5, 1.0], atol=5e-3)


def test_modes_are_where_the_density_peaks():
    from zoo.inference.writing.rendering import render_mixture

    rng = np.random.default_rng(0)
    mixture = np.column_stack(
        [rng.normal(size=6), rng.uniform(0.1, 0.9, (6, 2)), np.full((6, 2), -2.5), np.zeros(6)]
    )
    x, y, _ = mixture_candidates(mixture)[0]
    density = render_mixture(mixture, 300, 300)
    row, column = np.unravel_index(density.argmax(), density.shape)
    assert abs(x - (column + 0.5) / 300) < 0.01
    assert abs(y - (row + 0.5) / 300) < 0.01


def test_peaks_of_a_map():
    saliency = np.zeros((20, 40), np.float32)
    saliency[5, 10] = 3.0
    saliency[15, 30] = 1.0
    saliency[15, 31] = 0.5  # next to a higher value: not a peak
    got = map_candidates(saliency)
    np.testing.assert_allclose(
        got, [[10.5 / 40, 5.5 / 20, 3 / 4.5], [30.5 / 40, 15.5 / 20, 1.5 / 4.5]], rtol=1e-5
    )
    # The requested number changes neither the places nor the shares.
    np.testing.assert_array_equal(map_candidates(saliency, max_candidates=1), got[:1])


def test_shares_of_a_map_are_those_of_its_mixture():
    from zoo.inference.writing.rendering import render_mixture

    means = [(0.2, 0.25), (0.7, 0.3), (0.4, 0.8)]
    mixture = np.array([[np.log(w), *at, -3.0, -3.0, 0.0] for w, at in zip((0.5, 0.2, 0.3), means)])
    got = map_candidates(render_mixture(mixture, 60, 80))
    np.testing.assert_allclose(got, mixture_candidates(mixture), atol=0.01)


def test_a_lower_peak_nearby_belongs_to_the_higher_one():
    saliency = np.full((40, 40), 1e-3, np.float32)
    saliency[10, 10:13] = 3.0, 1.0, 2.0  # the second maximum is within the least distance
    saliency[30, 30:32] = 1.0  # a plateau
    got = map_candidates(saliency)
    assert len(got) == 2
    floor = 1e-3 * (40 * 40 - 5)
    np.testing.assert_allclose(got[:, 2], [6 / (8 + floor), 2 / (8 + floor)], atol=0.02)


def test_a_constant_map_has_no_peak():
    assert map_candidates(np.ones((5, 5))).shape == (0, 3)


def test_at_most_as_many_as_asked():
    saliency = np.random.default_rng(0).random((60, 60))
    assert len(map_candidates(saliency, max_candidates=3)) == 3
    mixture = np.column_stack([np.zeros((9, 1)), np.mgrid[1:4, 1:4].reshape(2, 9).T / 4.0])
    mixture = np.column_stack([mixture, np.full((9, 2), -4.0), np.zeros(9)])
    assert len(mixture_candidates(mixture, max_candidates=4)) == 4
    assert mixture_candidates(mixture, max_candidates=9)[:, 2].sum() == pytest.approx(1.0)
