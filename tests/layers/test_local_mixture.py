import keras
import numpy as np
import pytest
from scipy.stats import multivariate_normal

import zoo
from zoo.layers import LocalMixture, mixture_log_prob


def built(height=3, width=4, channels=5, units=6, **options):
    keras.utils.set_random_seed(0)
    layer = LocalMixture(**options)
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(2, 3, height, width, channels)).astype("float32")
    state = rng.normal(size=(2, 3, units)).astype("float32")
    return layer, maps, state, keras.ops.convert_to_numpy(layer(maps, state))


def test_every_place_has_the_gaussian_of_its_features():
    layer, maps, state, found = built(reach=1.5, min_sigma=0.02, max_sigma=0.5)
    kernel, query, bias = (w.astype("float64") for w in layer.get_weights())
    assert found.shape == (2, 3, 12, 6)
    for frame in ((0, 0), (1, 2)):
        for row in range(3):
            for column in range(4):
                feature = maps[frame][row, column].astype("float64")
                raw = feature @ kernel + bias
                wanted = np.empty(6)
                wanted[0] = raw[0] + feature @ (state[frame] @ query) / np.sqrt(5)
                wanted[1] = (column + 0.5) / 4 + 1.5 / 4 * np.tanh(raw[1])
                wanted[2] = (row + 0.5) / 3 + 1.5 / 3 * np.tanh(raw[2])
                share = 1 / (1 + np.exp(-raw[3:5]))
                wanted[3:5] = np.log(0.02) + np.log(0.5 / 0.02) * share
                wanted[5] = np.arctanh(0.99) * np.tanh(raw[5])
                given = found[frame][4 * row + column]
                np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-6)


def test_density_equals_scipy():
    _, _, _, found = built()
    mixture = found[0, 0].astype("float64")
    weights = np.exp(mixture[:, 0]) / np.exp(mixture[:, 0]).sum()
    points = np.random.default_rng(2).uniform(size=(7, 2))
    wanted = 0.0
    for weight, (_, x, y, log_sx, log_sy, a) in zip(weights, mixture):
        sx, sy, rho = np.exp(log_sx), np.exp(log_sy), np.tanh(a)
        covariance = [[sx**2, rho * sx * sy], [rho * sx * sy, sy**2]]
        wanted = wanted + weight * multivariate_normal([x, y], covariance).pdf(points)
    given = mixture_log_prob(found[:1, 0], points.astype("float32")[None])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(given)[0], np.log(wanted), rtol=1e-5)


def test_a_shift_in_the_map_is_a_shift_in_the_frame():
    layer, maps, state, found = built()
    moved = layer(np.roll(maps, 1, axis=3), state)
    one = found.reshape(2, 3, 3, 4, 6)[:, :, :, :-1]
    two = keras.ops.convert_to_numpy(moved).reshape(2, 3, 3, 4, 6)[:, :, :, 1:]
    by = np.broadcast_to([0, 0.25, 0, 0, 0, 0], one.shape)
    np.testing.assert_allclose(two - one, by, atol=1e-5)


def test_before_training_a_gaussian_is_half_a_place_wide():
    layer, maps, state, _ = built(height=8, width=8)
    found = keras.ops.convert_to_numpy(layer(0 * maps, state))
    np.testing.assert_allclose(np.exp(found[..., 3:5]), 0.5 / 8, rtol=1e-4)
    assert (found[..., 0] == 0).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"reach": 0.0}, "`reach` must be positive"),
        ({"min_sigma": 0.5, "max_sigma": 0.1}, "in ascending order"),
        ({"max_correlation": 1.0}, "`max_correlation` must be at least 0 and below 1"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        LocalMixture(**options)


def test_maps_must_have_a_known_size():
    maps = keras.Input((None, None, 4, 5))
    with pytest.raises(ValueError, match="with a known size"):
        LocalMixture()(maps, keras.Input((None, 6)))


def test_in_rmdn():
    model = zoo.rmdn(dense=True, width=0.03, units=6, num_components=2, image_size=32, local=True)
    assert model.output["mixture"].shape[2:] == (2 + 1, 6)
    model = zoo.rmdn(
        dense=True, width=0.03, units=6, num_components=0, image_size=64, local=True,
        endpoint="conv5b",
    )  # fmt: skip
    assert model.output["mixture"].shape[2:] == (16, 6)
    with pytest.raises(ValueError, match="features must be maps"):
        zoo.rmdn(dense=True, width=0.03, endpoint="fc6", local=True)
