import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import DepthwiseConv2D, depthwise_convolution


@pytest.fixture
def taps(monkeypatch):
    """The form for JAX on a CPU, on every backend."""
    monkeypatch.setattr(depthwise_convolution, "_compiled_for_cpu_by_jax", lambda inputs: True)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kernel, stride, dilation", [(3, 1, 1), (3, 2, 1), (5, 2, 1), (3, 1, 2)])
@pytest.mark.parametrize("size", [(11, 14), (12, 9)])
def test_the_sum_of_taps_is_the_convolution_of_keras(taps, padding, kernel, stride, dilation, size):
    features = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")
    options = {"strides": stride, "padding": padding, "dilation_rate": dilation}
    ours, theirs = (
        cls(kernel, activation="relu", **options)
        for cls in (DepthwiseConv2D, keras.layers.DepthwiseConv2D)
    )
    for layer in (ours, theirs):
        layer.build(features.shape)
        layer.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in layer.weights])
    one, two = (ops.convert_to_numpy(layer(features)) for layer in (ours, theirs))
    assert one.shape == two.shape
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_mixed_precision_adds_the_taps_in_float32(taps):
    layer = DepthwiseConv2D(5, padding="same", use_bias=False, dtype="mixed_bfloat16")
    features = np.full((1, 9, 9, 2), 1.0, "float32")
    layer.build(features.shape)
    layer.set_weights([np.full((5, 5, 2, 1), 1.0 + 2**-7)])
    outputs = layer(features)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    # 25 * (1 + 2**-7) is 25.195, whose neighbours in bfloat16 are 25.125 and 25.25.
    assert float(ops.cast(outputs[0, 4, 4, 0], "float32")) == 25.25


def test_other_forms_are_left_to_keras(taps):
    features = np.random.default_rng(0).normal(size=(1, 6, 6, 3)).astype("float32")
    ours = DepthwiseConv2D(3, depth_multiplier=2)
    theirs = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)
    ours.build(features.shape)
    theirs.build(features.shape)
    ours.set_weights(theirs.get_weights())
    one, two = (ops.convert_to_numpy(layer(features)) for layer in (ours, theirs))
    np.testing.assert_allclose(one, two, atol=1e-6)
