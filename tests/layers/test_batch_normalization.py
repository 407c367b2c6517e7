import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.gradients import gradient
from zoo.layers import BatchNormalization


def same(one, two):
    """Exactly, except on TensorFlow, whose one kernel adds up in another order."""
    if keras.config.backend() != "tensorflow":
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one, two, rtol=2e-6, atol=2e-6)


def test_it_equals_keras_on_one_device():
    features = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 6)).astype("float32")
    ours, theirs = BatchNormalization(momentum=0.5), keras.layers.BatchNormalization(momentum=0.5)
    for training in (True, False):
        one, two = (ops.convert_to_numpy(x(features, training=training)) for x in (ours, theirs))
        same(one, two)
    for one, two in zip(ours.get_weights(), theirs.get_weights()):
        same(one, two)


@pytest.mark.parametrize("shape", [(7, 3), (2, 5, 3), (3, 4, 5, 3), (2, 3, 4, 5, 3), (1, 1, 1, 3)])
@pytest.mark.parametrize("learned", [True, False])
def test_values_gradient_and_averages_against_float64(shape, learned):
    rng = np.random.default_rng(1)
    x, dy = rng.normal(5.0, 2.0, shape), rng.normal(size=shape)
    gamma, beta = ([1.5, 0.5, -2.0], [0.1, -1.0, 3.0]) if learned else (np.ones(3), np.zeros(3))
    layer = BatchNormalization(momentum=0.75, epsilon=1e-2, scale=learned, center=learned)
    layer.build((None, *shape[1:]))
    if learned:
        layer.gamma.assign(gamma), layer.beta.assign(beta)
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axes), x.var(axes)
    unit = (x - mean) / np.sqrt(variance + 1e-2)
    found = layer(x.astype("float32"), training=True)
    np.testing.assert_allclose(ops.convert_to_numpy(found), gamma * unit + beta, atol=5e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.moving_mean), mean / 4, rtol=1e-5)
    averaged = 0.75 + variance / 4
    np.testing.assert_allclose(ops.convert_to_numpy(layer.moving_variance), averaged, rtol=1e-5)
    weight = ops.convert_to_tensor(dy.astype("float32"))
    slope = gradient(lambda v: ops.sum(layer(v, training=True) * weight), x)
    centred = dy - dy.mean(axes) - unit * (dy * unit).mean(axes)
    wanted = gamma / np.sqrt(variance + 1e-2) * centred
    np.testing.assert_allclose(slope, wanted, atol=5e-5)


def test_a_frozen_layer_uses_its_averages_in_training_too():
    features = np.random.default_rng(2).normal(3.0, 2.0, (4, 5)).astype("float32")
    layer = BatchNormalization()
    layer.trainable = False
    found = ops.convert_to_numpy(layer(features, training=True))
    np.testing.assert_allclose(found, features / np.sqrt(1 + 1e-3), rtol=1e-5)
    np.testing.assert_array_equal(layer.get_weights()[2], 0)


def test_mixed_precision_keeps_statistics_in_float32():
    features = np.random.default_rng(3).normal(300.0, 2.0, (512, 4)).astype("float32")
    layer = BatchNormalization(momentum=0.0, dtype="mixed_bfloat16")
    given = ops.cast(features, "bfloat16")
    found = layer(given, training=True)
    seen = ops.convert_to_numpy(ops.cast(given, "float32")).astype("float64")
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_allclose(layer.get_weights()[2], seen.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.get_weights()[3], seen.var(0), rtol=1e-3)
    assert layer.get_weights()[0].dtype == np.float32


def test_float64_and_another_axis():
    features = np.random.default_rng(4).normal(size=(6, 3, 4))
    for dtype, axis in (("float64", -1), ("float32", 1)):
        layer = BatchNormalization(axis=axis, dtype=dtype)
        found = ops.convert_to_numpy(layer(features.astype(dtype), training=True))
        axes = tuple(a for a in range(3) if a != axis % 3)
        np.testing.assert_allclose(found.mean(axes), 0, atol=1e-6)


def test_it_has_the_configuration_of_keras_and_loads_on_every_backend():
    theirs = keras.layers.BatchNormalization(epsilon=1e-5, name="bn")
    ours = BatchNormalization.from_config(theirs.get_config())
    assert (ours.epsilon, ours.name) == (1e-5, "bn")
    assert "synchronized" not in ours.get_config()  # other backends refuse a saved True
