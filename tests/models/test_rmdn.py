import keras
import numpy as np
import pytest

import zoo
from zoo.training.engine.state_file import build_optimizer

TINY = {"width": 1 / 32, "units": 8, "num_components": 3}


def video(batch=1, time=20, size=112, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (batch, time, size, size, 3), "uint8")


@pytest.mark.parametrize("cell", ["lstm", "rnn", None])
@pytest.mark.parametrize("dense", [False, True])
def test_shapes(cell, dense):
    model = zoo.rmdn(cell=cell, dense=dense, **TINY)
    for time in (16, 19):
        mixture = model.predict(video(time=time), verbose=0)["mixture"]
        assert mixture.shape == (1, time if dense else time - 15, 3, 6)
        assert np.isfinite(mixture).all()


@pytest.mark.parametrize("units", [128, 256])
@pytest.mark.parametrize("components", [2, 10, 20])
def test_parameters_of_the_variants(units, components):
    model = zoo.rmdn(backbone=None, units=units, num_components=components)
    assert model.input_shape == (None, None, 1, 4, 4, 512)
    lstm = 4 * (8192 * units + units * units + units)
    assert model.count_params() == lstm + units * 6 * components + 6 * components
    rnn = zoo.rmdn(backbone=None, units=units, num_components=components, cell="rnn")
    assert rnn.count_params() == lstm // 4 + units * 6 * components + 6 * components


def test_deep_and_other_end_points():
    model = zoo.rmdn(num_layers=2, endpoint="fc6", **TINY)
    assert model.get_layer("recurrent_1").units == 8
    assert zoo.rmdn(endpoint="conv5b", **TINY).get_layer("flatten").output.shape[-1] == 2 * 49 * 16


def test_a_step_sees_its_clip_and_the_past():
    model = zoo.rmdn(**TINY)
    a = video(time=24)
    b = a.copy()
    b[:, 20:] = 0
    one, two = (model.predict(v, verbose=0)["mixture"] for v in (a, b))
    np.testing.assert_allclose(one[:, :5], two[:, :5], atol=1e-6)  # steps 0 to 4 end at frame 19
    assert np.abs(one[:, 5:] - two[:, 5:]).max() > 1e-6


def test_head_on_cached_features_equals_the_whole():
    model = zoo.rmdn(**TINY)
    head = zoo.rmdn(backbone=None, **TINY)
    for layer in ("recurrent_0", "mixture"):
        head.get_layer(layer).set_weights(model.get_layer(layer).get_weights())
    features = keras.Model(model.input, model.get_layer("backbone").output)
    x = video()
    np.testing.assert_allclose(
        head.predict(features.predict(x, verbose=0), verbose=0)["mixture"],
        model.predict(x, verbose=0)["mixture"],
        atol=1e-5,
    )


def test_trains_end_to_end_and_learns():
    keras.utils.set_random_seed(0)
    model = zoo.rmdn(
        dense=True,
        image_size=32,
        width=1 / 16,
        units=16,
        num_components=2,
        dropout=0,
        preprocessing="rgb_unit",
    )
    model.compile(
        keras.optimizers.Adam(1e-2, clipnorm=1.0), loss={"mixture": zoo.losses.MixtureNLL("mean")}
    )
    build_optimizer(model)  # TensorFlow traces a step that creates variables twice
    x = video(batch=2, time=16, size=32)
    y = np.full((2, 16, 3, 2), 0.25, "float32")
    y[:, :, 2] = np.nan
    before = model.get_layer("c3d").get_layer("conv1a").kernel.numpy().copy()
    history = model.fit(x, {"mixture": y}, epochs=15, verbose=0).history["loss"]
    assert history[-1] < history[0] - 1.0
    assert np.abs(model.get_layer("c3d").get_layer("conv1a").kernel.numpy() - before).max() > 0


def test_frozen_backbone():
    model = zoo.rmdn(trainable_backbone=False, **TINY)
    assert len(model.trainable_variables) == 5  # three of the LSTM, two of the mixture


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("local", [False, True])
def test_save_and_load(tmp_path, dense, local):
    model = zoo.rmdn(dense=dense, local=local, **TINY)
    model.save(tmp_path / "model.keras")
    loaded = zoo.load(tmp_path / "model.keras")
    x = video()
    np.testing.assert_array_equal(
        loaded.predict(x, verbose=0)["mixture"], model.predict(x, verbose=0)["mixture"]
    )


def test_load_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        zoo.load(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("<html>")
    with pytest.raises(ValueError, match="another file or truncated"):
        zoo.load(tmp_path / "text.keras")


@pytest.mark.parametrize(
    "arguments",
    [
        {"cell": "gru"},
        {"num_layers": 0},
        {"num_frames": 15},
        {"backbone": "vgg"},
        {"num_components": 0},
        {"backbone": None, "backbone_weights": "c3d.pickle"},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        zoo.rmdn(**arguments)


def test_a_backbone_of_frames_gives_a_causal_model():
    model = zoo.rmdn(backbone="efficientnet_lite", image_size=64, units=8, num_components=3)
    video = np.random.default_rng(0).integers(0, 256, (1, 5, 64, 64, 3)).astype("float32")
    whole = model.predict(video, verbose=0)["mixture"]
    assert whole.shape == (1, 5, 3, 6)
    changed = video.copy()
    changed[:, 3:] = 0.0
    again = model.predict(changed, verbose=0)["mixture"]
    np.testing.assert_allclose(again[:, :3], whole[:, :3], atol=1e-5)
    assert np.abs(again[:, 3:] - whole[:, 3:]).max() > 1e-4
    with pytest.raises(ValueError, match=r"`backbone` must be one of .*efficientnet_lite"):
        zoo.rmdn(backbone="vgg")
