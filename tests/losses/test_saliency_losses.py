"""Losses of saliency maps against plain NumPy, and their degenerate cases."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import losses

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0, 3, (4, 9, 12)).astype("float32")
SALIENCY = RNG.uniform(0, 1, (4, 9, 12)).astype("float32")
COUNTS = RNG.poisson(0.2, (4, 9, 12)).astype("float32")
CLASSES = {
    losses.MinMaxMSE: losses.min_max_mse,
    losses.SaliencyKL: losses.saliency_kl,
    losses.SaliencyCorrelation: losses.saliency_correlation,
    losses.SaliencyNSS: losses.saliency_nss,
}


def _numpy(name):
    values = []
    for t, s, c in zip(*(x.astype("float64") for x in (TRUTH, SALIENCY, COUNTS))):
        p, q = t / t.sum(), s / s.sum()
        values.append(
            {
                "mse": np.mean((s - (t - t.min()) / (t.max() - t.min())) ** 2),
                "kl": np.sum(p * np.log(p / q)),
                "cc": -np.corrcoef(t.ravel(), s.ravel())[0, 1],
                "nss": -np.sum((s - s.mean()) / s.std() * c) / c.sum(),
            }[name]
        )
    return values


@pytest.mark.parametrize(
    "function, name, truth",
    [
        (losses.min_max_mse, "mse", TRUTH),
        (losses.saliency_kl, "kl", TRUTH),
        (losses.saliency_correlation, "cc", TRUTH),
        (losses.saliency_nss, "nss", COUNTS),
    ],
)
def test_values(function, name, truth):
    np.testing.assert_allclose(function(truth, SALIENCY), _numpy(name), rtol=1e-4)
    scaled = truth if name == "nss" else truth * 1e-6
    np.testing.assert_allclose(function(scaled, SALIENCY), _numpy(name), rtol=1e-3)


def test_best_values():
    one = TRUTH / TRUTH.max((1, 2), keepdims=True)
    np.testing.assert_allclose(losses.saliency_kl(TRUTH, one), 0, atol=1e-5)
    np.testing.assert_allclose(losses.saliency_correlation(TRUTH, one), -1, rtol=1e-5)


@pytest.mark.parametrize("function", CLASSES.values())
def test_maps_without_truth_have_a_finite_constant_loss(function):
    empty = np.zeros((2, 9, 12), "float32")
    value = np.asarray(function(empty, SALIENCY[:2]))
    expected = np.mean(SALIENCY[:2] ** 2, (1, 2)) if function is losses.min_max_mse else 0
    np.testing.assert_allclose(value, expected, atol=1e-5)
    flat = np.full((2, 9, 12), 0.5, "float32")
    assert np.isfinite(np.asarray(function(TRUTH[:2], flat))).all()


def test_nss_of_one_fixation_is_the_standard_score_of_its_place():
    counts = np.zeros_like(SALIENCY)
    counts[:, 2, 5] = 1
    expected = [-(s[2, 5] - s.mean()) / s.std() for s in SALIENCY.astype("float64")]
    np.testing.assert_allclose(losses.saliency_nss(counts, SALIENCY), expected, rtol=1e-3)


def test_the_default_weights_of_the_sum_are_the_published():
    both = np.stack([TRUTH, COUNTS], -1)
    published = losses.SaliencySum(mse=0.0, kl=1.0, cc=0.1, nss=0.1)(both, SALIENCY)
    np.testing.assert_allclose(losses.SaliencySum()(both, SALIENCY), published, rtol=1e-6)


def test_the_sum_is_weighted():
    both = np.stack([TRUTH, COUNTS], -1)
    value = losses.SaliencySum(mse=3.0, kl=1.0, cc=0.5, nss=0.25, reduction=None)(both, SALIENCY)
    parts = [
        w * np.array(_numpy(n)) for n, w in (("mse", 3), ("kl", 1), ("cc", 0.5), ("nss", 0.25))
    ]
    np.testing.assert_allclose(value, np.sum(parts, 0), rtol=1e-3)
    with pytest.raises(ValueError, match="With `nss`"):
        losses.SaliencySum()(TRUTH, SALIENCY)
    with pytest.raises(ValueError, match="Weights"):
        losses.SaliencySum(kl=0, cc=0, nss=0)


@pytest.mark.parametrize("cls", [*CLASSES, losses.SaliencySum])
def test_gradient_is_finite_and_the_class_is_serialisable(cls):
    loss = cls()
    truth = np.stack([TRUTH, COUNTS], -1) if cls is losses.SaliencySum else TRUTH
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    np.testing.assert_allclose(again(truth, SALIENCY), loss(truth, SALIENCY))
    inputs = keras.Input((9, 12))
    dense = keras.layers.Dense(12, activation="sigmoid", kernel_initializer="zeros")
    model = keras.Model(inputs, dense(inputs))
    model.compile(keras.optimizers.SGD(0.1), loss=loss)  # a constant map at the start
    model.fit(SALIENCY, truth, epochs=2, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("name", ["nss", "cc", "kl"])
def test_the_density_loss_adds_each_loss(name):
    more = {
        "nss": losses.saliency_nss,
        "cc": losses.saliency_correlation,
        "kl": losses.saliency_kl,
    }[name]
    density = SALIENCY / SALIENCY.sum((1, 2), keepdims=True)
    plain = -(COUNTS * np.log(density)).sum((1, 2)) / COUNTS.sum((1, 2))
    loss = losses.DensityCrossEntropy(reduction=None)
    np.testing.assert_allclose(loss(COUNTS, np.log(density)), plain, rtol=1e-4)
    loss = losses.DensityCrossEntropy(**{name: 0.5}, reduction=None)
    expected = plain + 0.5 * np.asarray(more(COUNTS, density))
    np.testing.assert_allclose(loss(COUNTS, np.log(density)), expected, rtol=1e-4)
