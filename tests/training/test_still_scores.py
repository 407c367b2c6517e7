from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zoo.training.stills.scores import (
    centred_gaussian,
    density_at,
    gaussian_map,
    half_of_viewers,
    point_scores,
    score_stills,
)


def still(points, height=20, width=40, group="", viewers=None):
    points = np.array(points, np.float64).reshape(-1, 2)
    viewers = np.arange(len(points)) if viewers is None else np.array(viewers)
    return SimpleNamespace(points=points, viewers=viewers, height=height, width=width, group=group)


def test_the_gaussian_is_that_of_all_fixations():
    mean, sigma = centred_gaussian([still([[0.2, 0.5]]), still([[0.4, 0.5], [0.6, 0.8]])])
    np.testing.assert_allclose(mean, [0.4, 0.6])
    np.testing.assert_allclose(sigma, np.std([[0.2, 0.5], [0.4, 0.5], [0.6, 0.8]], axis=0))
    found = gaussian_map(((0.3, 0.6), (0.1, 0.05)), 200, 100)
    assert found.shape == (200, 100) and found.sum() == pytest.approx(1)
    x, y = (np.arange(100) + 0.5) / 100, (np.arange(200) + 0.5) / 200
    for share, place, centre, spread in ((found.sum(0), x, 0.3, 0.1), (found.sum(1), y, 0.6, 0.05)):
        assert share @ place == pytest.approx(centre, abs=1e-3)
        assert np.sqrt(share @ (place - centre) ** 2) == pytest.approx(spread, rel=0.02)


def test_a_log_density_is_enlarged_to_a_density():
    log_density = np.log(np.array([[1.0, 3.0], [1.0, 3.0]])) + 800.0  # above what exp can hold
    np.testing.assert_allclose(density_at(log_density, 2, 2), [[0.125, 0.375]] * 2, rtol=1e-4)
    large = density_at(log_density, 6, 8)
    assert large.shape == (6, 8) and large.sum() == pytest.approx(1)
    assert large[:, 7].sum() == pytest.approx(3 * large[:, 0].sum(), rel=1e-4)


def test_scores_of_a_density_by_hand():
    density = np.array([[0.1, 0.2, 0.3], [0.1, 0.1, 0.2]])
    baseline = np.array([[0.2, 0.2, 0.15], [0.2, 0.2, 0.05]])
    points = np.array([[0.9, 0.1], [0.4, 0.7]])  # the pixels of 0.3 and of 0.1
    nss, gain = point_scores(density, points, baseline)
    assert nss == pytest.approx((0.2 - density.mean()) / density.std())
    assert gain == pytest.approx((np.log2(0.3 / 0.15) + np.log2(0.1 / 0.2)) / 2)
    assert point_scores(np.full((2, 3), 1 / 6), points, baseline)[0] == 0.0


def test_images_are_averaged_in_their_groups():
    gaussian = ((0.5, 0.5), (10.0, 10.0))  # almost uniform
    here, there = np.full((20, 40), -20.0), np.full((20, 40), -20.0)
    here[:10, :20], there[10:, 20:] = 0.0, 0.0
    found = score_stills(
        [
            (still([[0.2, 0.2]], group="a"), here),
            (still([[0.2, 0.2]], group="b"), there),
            (still([], group="c"), here),  # without fixations: left out
        ],
        gaussian,
    )
    assert set(found) == {"a", "b", "all"}
    quarter = np.zeros((20, 40))
    quarter[:10, :20] = 1
    best = (1 - quarter.mean()) / quarter.std()
    worst = -quarter.mean() / quarter.std()
    assert found["a"]["nss"] == pytest.approx(best, rel=1e-3)
    assert found["all"]["nss"] == pytest.approx((best + worst) / 2, rel=1e-3)
    assert found["a"]["information_gain"] == pytest.approx(2.0, abs=0.01)  # log2 of 4 quarters


def test_one_half_of_the_viewers_predicts_the_other():
    gaussian = ((0.5, 0.5), (10.0, 10.0))
    same = still([[0.2, 0.2], [0.2, 0.2], [0.2, 0.2]], viewers=[3, 4, 5])
    apart = still([[0.2, 0.2], [0.8, 0.8]], viewers=[1, 2])
    alone = still([[0.2, 0.2], [0.8, 0.8]], viewers=[2, 4])  # all in one half: left out
    assert half_of_viewers([alone], gaussian) == {}
    agreed, not_agreed = (half_of_viewers([s], gaussian)["all"] for s in (same, apart))
    assert agreed["nss"] > 5 and agreed["information_gain"] > 4
    assert not_agreed["nss"] < 0
    # Where no viewer of one half looked, 5% of the baseline remains.
    assert not_agreed["information_gain"] == pytest.approx(np.log2(0.05), abs=0.01)
    wider = half_of_viewers([same], gaussian, sigma=0.1)["all"]
    assert wider["information_gain"] < agreed["information_gain"] - 2
