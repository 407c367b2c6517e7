"""Processing in steps with carried borders equals one call on the video, and a simple loop."""

import keras
import numpy as np
import pytest

import zoo
from zoo.backbones.c3d import c3d
from zoo.backbones.i3d import i3d
from zoo.inference.streaming.carried import CarriedTrunk
from zoo.inference.streaming.carried_plan import NotCarried


def _shaken(model, seed=0):
    """Set nonzero biases, offsets and statistics, so that a wrong border is detected."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(rng.normal(size=weight.shape) * 0.3)
        elif weight.name == "moving_variance":
            weight.assign(
                rng.uniform(0.4, 0.8, weight.shape)
            )  # so that the output depends on the frames
    return model


def _frames(count, size=32, channels=3):
    rng = np.random.default_rng(1)
    return rng.integers(0, 255, (count, size, size, channels), dtype=np.uint8)


def _whole(model, frames):
    return keras.ops.convert_to_numpy(model(frames[None].astype("float32"), training=False))[0]


def _in_chunks(trunk, frames, sizes):
    parts, start = [], 0
    for size in sizes:
        parts.append(trunk.push(frames[start : start + size]))
        start += size
    parts += [trunk.push(frames[start:]), trunk.finish()]
    return np.concatenate([part for part in parts if part is not None])


C3D = {"image_size": 32, "width": 0.05, "dense": True}
I3D = {"image_size": 32, "width": 0.05, "dense": True}
MODELS = {
    "c3d": (lambda: c3d(**C3D), 16, 45),
    "c3d normalised": (lambda: c3d(**C3D, normalization=True, endpoint="conv5b"), 16, 37),
    "c3d causal": (lambda: c3d(**C3D, causal=True), 16, 0),
    "c3d causal, frame by frame": (lambda: c3d(**C3D, causal=True), 1, 0),
    "i3d": (lambda: i3d(**I3D), 16, None),
    "i3d causal": (lambda: i3d(**I3D, causal=True), 1, 0),
}


@pytest.mark.parametrize(
    "name",
    [name if name != "i3d" else pytest.param(name, marks=pytest.mark.slow) for name in MODELS],
)
def test_steps_equal_the_whole(name):
    make, step, delay = MODELS[name]
    keras.utils.set_random_seed(0)
    model = _shaken(make())
    trunk = CarriedTrunk(model, step=step)
    if delay is not None:
        assert trunk.delay == delay
    # Longer than the first step plus the lag, shorter than either, and in between.
    for count, sizes in ((171, (1, 90, 3, 7)), (101, (101,)), (20, (5,)), (1, ())):
        frames = _frames(count)
        expected = _whole(model, frames)
        assert count < 20 or np.ptp(expected, axis=0).max() > 0.05 * np.abs(expected).max()
        trunk.reset()
        got = _in_chunks(trunk, frames, sizes)
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


def test_every_frame_passes_once():
    trunk = CarriedTrunk(c3d(**C3D), step=8)
    fed = []
    for model in (trunk._start, trunk._steady, trunk._final):
        original = model.predict_on_batch

        def counted(x, original=original):
            fed.append((x[0] if isinstance(x, list) else x).shape[1])
            return original(x)

        model.predict_on_batch = counted
    frames = _frames(203)
    for start in range(0, 203, 10):
        trunk.push(frames[start : start + 10])
    trunk.finish()
    assert 203 <= sum(fed) < 203 + trunk.phases


def test_every_layer_of_a_step_is_built():
    # If one is not, Keras on JAX runs the whole step eagerly before each prediction.
    trunk = CarriedTrunk(c3d(**C3D), step=8)
    for step in (trunk._start, trunk._steady, trunk._final):
        assert all(layer.built for layer in step._flatten_layers())


def test_a_causal_model_answers_every_frame_at_once():
    trunk = CarriedTrunk(c3d(**C3D, causal=True), step=1)
    for frame in _frames(3):
        assert len(trunk.push(frame[None])) == 1


def test_bfloat16_is_carried_in_bfloat16():
    with _policy("mixed_bfloat16"):
        model = _shaken(c3d(**C3D))
    trunk = CarriedTrunk(model, step=16)
    assert {value.dtype for value in trunk._carry.values} == {"bfloat16"}
    frames = _frames(120)
    expected = _whole(model, frames).astype("float32")
    got = _in_chunks(trunk, frames, (50,)).astype("float32")
    np.testing.assert_allclose(got, expected, atol=0.03 * np.abs(expected).max())


class _policy:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.name)

    def __exit__(self, *error):
        keras.config.set_dtype_policy(self.before)


def test_branches_with_different_lags_are_aligned():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 8, 8, 3))
    wide = keras.layers.Conv3D(4, (5, 3, 3), padding="same", activation="relu")(inputs)
    near = keras.layers.Conv3D(4, (1, 3, 3), padding="same")(inputs)
    x = keras.layers.Concatenate()([wide, near])
    x = keras.layers.MaxPooling3D((3, 2, 2), (1, 2, 2), padding="same")(x)  # of negative values
    model = _shaken(keras.Model(inputs, x))
    trunk = CarriedTrunk(model, step=4)
    assert trunk.delay == 3
    frames = _frames(30, 8)
    expected = _whole(model, frames)
    np.testing.assert_allclose(_in_chunks(trunk, frames, (3, 9)), expected, atol=1e-3)


def test_an_unsupported_layer_is_named():
    inputs = keras.Input((None, 8, 8, 3))
    strided = keras.layers.Conv3D(2, 3, strides=(2, 1, 1), padding="same", name="strided")(inputs)
    with pytest.raises(NotCarried, match="strided"):
        CarriedTrunk(keras.Model(inputs, strided))
    summed = keras.layers.GlobalAveragePooling3D(name="mean")(inputs)
    with pytest.raises(NotCarried, match="mean"):
        CarriedTrunk(keras.Model(inputs, summed))
    with pytest.raises(ValueError, match="multiple of the model's 8 phases"):
        CarriedTrunk(c3d(**C3D), step=12)


def test_a_projected_lstm_is_the_lstm():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(2, 7, 5)).astype("float32")
    plain = keras.layers.LSTM(4, return_sequences=True, return_state=True)
    fast = zoo.layers.ProjectedLSTM(4, return_sequences=True, return_state=True)
    plain(x)
    fast.build(x.shape)
    fast.set_weights(plain.get_weights())
    states = [np.ones((2, 4), "float32"), np.full((2, 4), 0.5, "float32")]
    mask = np.arange(7)[None] < np.array([[7], [3]])
    for arguments in ({}, {"initial_state": states}, {"mask": mask}):
        for got, expected in zip(fast(x, **arguments), plain(x, **arguments)):
            got, expected = map(keras.ops.convert_to_numpy, (got, expected))
            np.testing.assert_allclose(got, expected, atol=1e-6)
