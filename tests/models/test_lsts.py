"""LSTS: sizes of its stages, parameters, variants, and heads on cached features."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.models import load
from zoo.models.lsts import lsts, lsts_features, pool_size
from zoo.training.engine.state_file import build_optimizer

SIZES = [(10, 10), (30, 20), (30, 40), (90, 80), (90, 160), (180, 320), (360, 640)]
SMALL = {"num_frames": 16, "image_size": 64, "width": 1 / 32, "output_size": (24, 32)}
# Kernel height x width, channels in, channels out, of the seven transposed convolutions.
DECONVOLUTIONS = [
    (9, 512, 512),
    (12, 512, 256),
    (3, 256, 128),
    (12, 128, 64),
    (3, 64, 16),
    (9, 16, 4),
    (9, 4, 2),
]


def _parameters(channels_in, variant):
    total = 5 * channels_in * 512 + 512
    stages = list(DECONVOLUTIONS)
    if variant == "printed":
        stages[-1] = (9, 4, 1)
    total += sum(places * a * b + b for places, a, b in stages)
    normalised = [b for _, _, b in stages]
    if variant == "released":
        total += 2 + 1  # the 1x1 convolution
        normalised.append(512)  # after the 3D convolution
    else:
        normalised.pop()
    return total + 4 * sum(normalised)


@pytest.mark.parametrize("variant", ["released", "printed"])
@pytest.mark.parametrize("streams, channels", [("rgb", 1024), ("flow", 1024), ("both", 2048)])
def test_published_sizes_and_parameters(variant, streams, channels):
    model = lsts(streams=streams, variant=variant, backbone=None)
    assert model.input_shape == (None, 5, 5, 5, channels)
    head = model.get_layer("head")
    assert tuple(head.get_layer("squeeze").output.shape[1:]) == (5, 5, 512)
    for number, size in enumerate(SIZES, start=1):
        assert tuple(head.get_layer(f"stage_{number}").output.shape[1:3]) == size
    assert tuple(model.output["saliency"].shape) == (None, 360, 640)
    assert model.count_params() == _parameters(channels, variant)


def test_the_whole_model_of_two_streams():
    model = lsts(streams="both")
    sizes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    assert sizes == {"rgb": (79, 224, 224, 3), "flow": (79, 224, 224, 2)}
    assert tuple(model.get_layer("fusion").output.shape[1:]) == (5, 5, 5, 2048)
    assert model.get_layer("rgb_features").get_layer("i3d_rgb").output_shape[1:] == (10, 7, 7, 1024)
    i3d = 12_294_544 + (12_294_544 - 343 * 64)  # the flow stream lacks one input channel
    assert model.count_params() == i3d + _parameters(2048, "released")
    assert sum(np.prod(v.shape) for v in model.trainable_variables) < 10_000_000


@pytest.mark.parametrize(
    "features, pool", [((10, 7, 7), (6, 3, 3)), ((2, 2, 2), (1, 1, 1)), ((8, 4, 7), (4, 1, 3))]
)
def test_pooling(features, pool):
    assert pool_size(features) == pool


def test_stage_matches_padding_one_and_output_padding_one():
    """Against the definition: input i adds kernel k at output i * stride + k - 1."""
    model = lsts(backbone=None, feature_shape=(1, 2, 3, 4), width=1 / 64)
    head = model.get_layer("head")
    convolution = head.get_layer("stage_2_convolution")  # kernel (4, 3), stride (3, 2)
    x = np.random.default_rng(0).normal(size=(1, *convolution.input.shape[1:])).astype("float32")
    kernel = np.asarray(convolution.kernel)  # (4, 3, out, in)
    rows, columns = x.shape[1:3]
    expected = np.zeros((rows * 3, columns * 2, kernel.shape[2]))
    for i in range(rows):
        for j in range(columns):
            for a in range(4):
                for b in range(3):
                    row, column = i * 3 + a - 1, j * 2 + b - 1
                    if row >= 0 and column >= 0:
                        expected[row, column] += kernel[a, b] @ x[0, i, j]
    actual = np.asarray(head.get_layer("stage_2")(convolution(x)))[0]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size, stages", [((90, 160), 5), ((100, 150), 6), ((9, 9), 1)])
def test_other_output_sizes(size, stages):
    model = lsts(backbone=None, feature_shape=(5, 5, 5, 8), width=1 / 64, output_size=size)
    assert tuple(model.output["saliency"].shape[1:]) == size
    names = {layer.name for layer in model.get_layer("head").layers}
    assert f"stage_{stages}" in names and f"stage_{stages + 1}" not in names
    out = np.asarray(model(np.zeros((1, 5, 5, 5, 8)))["saliency"])
    assert out.shape == (1, *size) and (out >= 0).all() and (out <= 1).all()


@pytest.mark.slow
def test_head_trained_on_cached_features_joins_the_backbone():
    whole = lsts(streams="both", **SMALL)
    clips = {
        "rgb": np.random.default_rng(0).integers(0, 255, (2, 16, 64, 64, 3)).astype("float32"),
        "flow": np.random.default_rng(1).normal(size=(2, 16, 64, 64, 2)).astype("float32"),
    }
    features = []
    for stream in ("rgb", "flow"):
        extractor = lsts_features(stream=stream, num_frames=16, image_size=64, width=1 / 32)
        extractor.set_weights(whole.get_layer(f"{stream}_features").get_weights())
        features.append(np.asarray(extractor(clips[stream])))
    cached = lsts(streams="both", backbone=None, **SMALL)
    features = np.concatenate(features, axis=-1)
    assert cached.input_shape[1:] == features.shape[1:]
    cached.compile(keras.optimizers.RMSprop(1e-2), loss={"saliency": "mse"})
    build_optimizer(cached)  # TensorFlow traces a step that creates variables twice
    cached.fit(features, {"saliency": np.zeros((2, 24, 32))}, verbose=0)
    whole.get_layer("head").set_weights(cached.get_layer("head").get_weights())
    np.testing.assert_allclose(
        whole(clips)["saliency"], cached(features)["saliency"], rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_a_frozen_backbone_keeps_its_statistics_in_training():
    model = lsts(**SMALL)
    before = [np.asarray(w) for w in model.get_layer("rgb_features").weights]
    model.compile("rmsprop", loss={"saliency": "mse"})
    build_optimizer(model)  # TensorFlow traces a step that creates variables twice
    clip = np.random.default_rng(0).uniform(0, 255, (2, 16, 64, 64, 3)).astype("float32")
    model.fit(clip, {"saliency": np.zeros((2, 24, 32))}, verbose=0)
    for a, b in zip(before, model.get_layer("rgb_features").weights):
        np.testing.assert_array_equal(a, b)


def test_weight_decay_is_half_the_square():
    model = lsts(backbone=None, feature_shape=(1, 2, 2, 4), width=1 / 64, weight_decay=5e-5)
    head = model.get_layer("head")
    kernels = [layer.kernel for layer in head.layers if hasattr(layer, "kernel")]
    expected = sum(5e-5 / 2 * np.sum(np.asarray(k) ** 2) for k in kernels)
    np.testing.assert_allclose(sum(float(v) for v in model.losses), expected, rtol=1e-5)


def test_dropout_drops_whole_channels_only_in_training():
    keras.utils.set_random_seed(0)
    model = lsts(backbone=None, feature_shape=(2, 2, 2, 64), width=1 / 64, dropout=0.5)
    features = np.ones((3, 2, 2, 2, 64), "float32")
    dropped = model.get_layer("head").get_layer("dropout")(features, training=True)
    dropped = keras.ops.convert_to_numpy(dropped).reshape(3, 8, 64)
    assert set(np.unique(dropped)) == {0.0, 2.0}
    np.testing.assert_array_equal(dropped, dropped[:, :1].repeat(8, axis=1))
    first, again = (keras.ops.convert_to_numpy(model(features)["saliency"]) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_target_frame_is_kept_in_a_saved_model(tmp_path):
    model = lsts(target="centre", **SMALL)
    model.save(tmp_path / "lsts.keras")
    again = load(tmp_path / "lsts.keras")
    saliency = again.get_layer("head").get_layer("saliency")
    assert saliency.target_frame(79) == 39
    clip = np.random.default_rng(0).uniform(0, 255, (1, 16, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(model(clip)["saliency"], again(clip)["saliency"], atol=1e-6)
    assert lsts(**SMALL).get_layer("head").get_layer("saliency").target_frame(79) == 78


def test_too_short_a_clip_and_flow_of_another_length_are_errors():
    model = lsts(streams="both", **SMALL)
    rgb, flow = np.zeros((1, 16, 64, 64, 3)), np.zeros((1, 16, 64, 64, 2))
    with pytest.raises(ValueError, match="16"):
        model({"rgb": rgb[:, :9], "flow": flow})
    with pytest.raises(ValueError, match="16"):
        model({"rgb": rgb, "flow": flow[:, :15]})
    with pytest.raises(ValueError, match="64"):
        model({"rgb": rgb, "flow": flow[:, :, :32]})


@pytest.mark.parametrize(
    "arguments, rule",
    [
        ({"streams": "depth"}, "`streams`"),
        ({"variant": "other"}, "`variant`"),
        ({"target": "first", "backbone": None}, "`target`"),
        ({"streams": "both", "backbone_weights": "file.h5"}, "`backbone_weights`"),
        (
            {"backbone": None, "backbone_weights": "file.h5"},
            "`backbone_weights` must be used with a backbone",
        ),
        ({"backbone": "vgg"}, "`backbone`"),
        ({"num_frames": 0}, "`num_frames`"),
    ],
)
def test_wrong_arguments_are_named(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        lsts(**arguments)
