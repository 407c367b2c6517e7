"""The fast renderer, compared with the textbook formula in float64."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from zoo.inference.writing.rendering import render_mixture, render_mixtures


def _mixture(seed, components=5, rho=0.5, log_sigma=(-3.5, -1.2)):
    rng = np.random.default_rng(seed)
    return np.concatenate(
        [
            rng.normal(size=(components, 1)),
            rng.uniform(0.1, 0.9, (components, 2)),
            rng.uniform(*log_sigma, (components, 2)),
            rng.normal(size=(components, 1)) * rho,
        ],
        axis=-1,
    )


def _reference(mixture, height, width):
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    points = np.stack(np.meshgrid(x, y), axis=-1)
    weights = np.exp(mixture[:, 0]) / np.exp(mixture[:, 0]).sum()
    density = np.zeros((height, width))
    for weight, (_, mx, my, lx, ly, a) in zip(weights, mixture):
        sx, sy, rho = np.exp(lx), np.exp(ly), np.tanh(a)
        covariance = [[sx * sx, rho * sx * sy], [rho * sx * sy, sy * sy]]
        density += weight * multivariate_normal([mx, my], covariance).pdf(points)
    return density / density.sum()


@pytest.mark.parametrize("size", [(36, 64), (37, 50), (1, 9), (160, 600)])
@pytest.mark.parametrize("rho", [0.0, 0.5, 2.0])
def test_equals_the_density(size, rho):
    mixture = _mixture(3, rho=rho)
    expected = _reference(mixture, *size)
    got = render_mixture(mixture, *size)
    assert got.dtype == np.float32
    assert got.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(got, expected, atol=3e-6 * expected.max())


def test_equals_the_layer():
    from keras import ops

    from zoo.layers import mixture_map

    mixtures = np.stack([_mixture(s) for s in (1, 2)]).astype("float32")
    expected = ops.convert_to_numpy(mixture_map(mixtures, 24, 40))
    np.testing.assert_allclose(render_mixtures(mixtures, 24, 40), expected, atol=2e-6)


def test_a_component_narrower_than_a_pixel_keeps_its_place():
    mixture = np.array([[0.0, 0.5, 0.5, -9.0, -9.0, 0.0]])
    got = render_mixture(mixture, 4, 4)  # the centre lies on the corner of four pixels
    assert np.isfinite(got).all()
    assert got.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(got[1:3, 1:3], 0.25, atol=1e-6)


def test_weights_of_different_magnitude_and_means_outside_the_frame():
    mixture = np.array([[200.0, 1.4, -0.3, -2.0, -2.0, 1.0], [-200.0, 0.5, 0.5, -2.0, -2.0, 0.0]])
    got = render_mixture(mixture, 20, 30)
    assert np.isfinite(got).all()
    assert got.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.unravel_index(got.argmax(), got.shape) == (0, 29)


@pytest.mark.parametrize("bad", [np.zeros((3, 5)), np.full((2, 6), np.nan)])
def test_bad_mixture_is_named(bad):
    with pytest.raises(ValueError, match="`mixture` must"):
        render_mixture(bad, 4, 4)
