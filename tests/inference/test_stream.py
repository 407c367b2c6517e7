"""Processing a video in chunks equals one call on the whole video."""

import keras
import numpy as np
import pytest

import zoo
from zoo.inference.streaming.adapt import adapt
from zoo.inference.streaming.receptive_field import receptive_field
from zoo.inference.streaming.stream import Stream

SIZE = 32


def _model(**arguments):
    keras.utils.set_random_seed(0)
    settings = {"image_size": SIZE, "width": 0.05, "units": 6, "num_components": 3, **arguments}
    return zoo.rmdn(**settings)


def _frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (count, SIZE, SIZE, 3), dtype=np.uint8)


def _whole(model, frames):
    outputs = model(frames[None].astype("float32"), training=False)
    return keras.ops.convert_to_numpy(outputs["mixture"])[0]


def _in_chunks(stream, frames, sizes):
    parts, start = [], 0
    for size in sizes:
        parts.append(stream.push(frames[start : start + size]))
        start += size
    assert start == len(frames)
    parts.append(stream.finish())
    return np.concatenate([part["mixture"] for part in parts if part])


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_layers": 2},
        {"cell": "rnn"},
        {"cell": None},
        {"num_frames": 37},
        {"dense": True},
        {"dense": True, "causal": True, "num_layers": 2},
        {"local": True, "endpoint": "conv5b"},
        {"local": True, "endpoint": "conv5b", "dense": True, "num_layers": 2},
        {"local": True, "dense": True, "num_components": 0, "cell": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("sizes", [(37,), (1, 3, 20, 13)], ids=str)
def test_chunks_equal_the_whole(arguments, sizes):
    model = _model(**arguments)
    frames = _frames(37)
    expected = _whole(model, frames)
    stream = Stream(model)
    np.testing.assert_allclose(_in_chunks(stream, frames, sizes), expected, atol=1e-4)
    stream.reset()  # a second video starts anew
    np.testing.assert_allclose(_in_chunks(stream, frames, (20, 17)), expected, atol=1e-4)


def test_dense_interior_of_a_long_video():
    # Longer than the receptive field, so that frames are dropped on both sides.
    model = _model(dense=True, cell=None)
    frames = _frames(150)
    stream = Stream(model)
    got = _in_chunks(stream, frames, (30,) * 5)
    np.testing.assert_allclose(got, _whole(model, frames), atol=1e-4)


def test_memory_does_not_grow():
    stream = Stream(_model(dense=True))
    held = []
    for index in range(8):
        stream.push(_frames(40, index))
        held.append(stream.held)
    assert stream.num_frames == 320
    assert held[-1] == held[3] <= 40 + stream.delay


def test_receptive_field_of_c3d():
    from zoo.backbones.c3d import c3d

    plain = c3d(image_size=16, width=0.02, dense=True, endpoint="conv5b")
    causal = c3d(image_size=16, width=0.02, dense=True, causal=True, endpoint="conv5b")
    before, after = receptive_field(plain)
    # conv1, conv2, then two convolutions at 2, 4 and 8 phases; poolings look 1, 2 and 4 ahead.
    assert (before, after) == (30, 37)
    assert receptive_field(causal) == (67, 0)


def test_layers_that_bypass_the_recurrence_must_see_one_frame():
    video = keras.Input((None, 8))
    x = keras.layers.Conv1D(4, 3, padding="same", name="wide")(video)
    x = keras.layers.SimpleRNN(4, return_sequences=True, name="late")(x)
    model = keras.Model(video, keras.layers.Concatenate()([x, video]))
    with pytest.raises(ValueError, match="Received: 'wide' before 'late'"):
        Stream(model)


def test_features_as_input():
    keras.utils.set_random_seed(0)
    features = np.random.default_rng(0).normal(size=(21, 8)).astype("float32")
    inputs = keras.Input((None, 8), name="features")
    x = keras.layers.LSTM(5, return_sequences=True)(inputs)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.SimpleRNN(4, return_sequences=True)(x)
    model = keras.Model(inputs, {"mixture": keras.layers.Dense(3)(x)})
    expected = keras.ops.convert_to_numpy(model(features[None])["mixture"])[0]
    got = _in_chunks(Stream(model), features, (2, 9, 10))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_precision_changes_only_the_arithmetic():
    model = _model()
    frames = _frames(20)
    expected = _whole(model, frames)
    got = _in_chunks(Stream(model, precision="bfloat16"), frames, (20,))
    assert got.dtype == np.float32
    assert 0 < np.abs(got - expected).max() < 0.1
    assert model.layers[-1].compute_dtype == "float32"
    copy = adapt(model, precision="bfloat16")
    assert copy.get_layer("mixture").compute_dtype == "float32"
    assert copy.get_layer("recurrent_0").compute_dtype == "bfloat16"
    assert adapt(model) is model
    copy = adapt(_model(local=True), precision="bfloat16")
    for name in ("mixture_state", "mixture_local", "mixture"):
        assert copy.get_layer(name).compute_dtype == "float32"
    assert adapt(copy, precision="bfloat16") is copy


def test_too_few_frames():
    stream = Stream(_model())
    stream.push(_frames(15))
    with pytest.raises(ValueError, match=r'at least 16 frames; initial="pad"'):
        stream.finish()


def test_bad_arguments():
    with pytest.raises(ValueError, match="`precision` must be one of"):
        Stream(_model(), precision="int4")
    with pytest.raises(ValueError, match="Frames must have shape"):
        Stream(_model()).push(np.zeros((4, 8, 8, 3)))
    inputs = keras.Input((None, 8))
    both = keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True))(inputs)
    with pytest.raises(ValueError, match="backwards"):
        Stream(keras.Model(inputs, both))
