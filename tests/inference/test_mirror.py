"""The mean of the predictions for a video and for its mirror image."""

import keras
import numpy as np
import pytest

import zoo
from tests.conformance.cases import small_general
from zoo.inference.streaming.mirror import MirroredStream
from zoo.inference.streaming.stream import Stream
from zoo.layers import mixture_log_prob

SIZE = 32


def _densities(stream, frames):
    parts = [stream.push(frames[:9]), stream.push(frames[9:]), stream.finish()]
    mixtures = np.concatenate([part["mixture"] for part in parts if part])
    x, y = np.meshgrid((np.arange(16) + 0.5) / 16, (np.arange(9) + 0.5) / 9)
    points = np.broadcast_to(np.stack([x, y], -1).reshape(1, -1, 2), (len(mixtures), 144, 2))
    log_prob = mixture_log_prob(mixtures, points.astype("float32"))
    return mixtures, np.exp(keras.ops.convert_to_numpy(log_prob)).reshape(-1, 9, 16)


def test_the_density_is_the_mean_of_both_and_mirrors_with_the_video():
    keras.utils.set_random_seed(3)
    model = zoo.rmdn(image_size=SIZE, width=0.05, units=6, num_components=3, dense=True)
    mixture = model.get_layer("mixture")
    # Away from the symmetric initial state, including the correlation.
    mixture.set_weights([np.random.default_rng(0).normal(0, 0.2, w.shape) for w in mixture.weights])
    frames = np.random.default_rng(1).integers(0, 255, (20, SIZE, SIZE, 3), dtype=np.uint8)
    turned = frames[:, :, ::-1]
    _, plain = _densities(Stream(model), frames)
    _, other = _densities(Stream(model), turned)
    assert np.abs(plain - other[:, :, ::-1]).max() > 1e-2
    stream = MirroredStream(model)
    mixtures, densities = _densities(stream, frames)
    assert mixtures.shape == (20, 6, 6)
    np.testing.assert_allclose(densities, (plain + other[:, :, ::-1]) / 2, rtol=1e-3, atol=1e-5)
    stream.reset()
    _, again = _densities(stream, turned)
    np.testing.assert_allclose(again, densities[:, :, ::-1], rtol=1e-3, atol=1e-5)
    assert stream.identity()[0] != Stream(model).identity()[0]


def test_the_mean_of_log_densities():
    model = small_general(image_size=SIZE, mixture=(2, 3))
    frames = np.random.default_rng(1).integers(0, 255, (5, SIZE, SIZE, 3), dtype=np.uint8)

    def outputs(stream, frames):
        parts = [stream.push(frames[:2]), stream.push(frames[2:]), stream.finish()]
        return {k: np.concatenate([p[k] for p in parts if p]) for k in stream.output_names}

    plain, other = (outputs(Stream(model), f) for f in (frames, frames[:, :, ::-1]))
    found = outputs(MirroredStream(model), frames)
    expected = (np.exp(plain["log_density"]) + np.exp(other["log_density"][:, :, ::-1])) / 2
    assert np.abs(expected - np.exp(plain["log_density"])).max() > 1e-6
    np.testing.assert_allclose(np.exp(found["log_density"]), expected, rtol=1e-4)
    assert found["mixture"].shape == (5, 12, 6)


def test_other_models_are_refused():
    frames = keras.Input((None, SIZE, SIZE, 3))
    model = keras.Model(frames, keras.layers.Rescaling(1 / 255)(frames))
    with pytest.raises(ValueError, match="no other outputs than 'log_density' and 'mixture'"):
        MirroredStream(model)
