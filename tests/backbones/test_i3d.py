"""I3D's graph, published variable names and two kinds of padding."""

from __future__ import annotations

import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.backbones.i3d import ENDPOINTS, i3d, published_names

PREFIX = {"rgb_imagenet": "RGB/inception_i3d/", "flow_imagenet": "Flow/inception_i3d/"}


@pytest.fixture(scope="module")
def small():
    return i3d(num_frames=16, image_size=32, width=1 / 16)


@pytest.mark.parametrize(
    "checkpoint, stream, classes",
    [
        ("rgb_imagenet", "rgb", 400),
        ("flow_imagenet", "flow", 400),
        ("rgb_scratch_kin600", "rgb", 600),
    ],
)
def test_every_published_variable_has_its_counterpart(checkpoint, stream, classes):
    tf = pytest.importorskip("tensorflow")
    folder = data_dir("annotations", "i3d_checkpoints", checkpoint)
    prefix = PREFIX.get(checkpoint, "")
    published = {}
    for name, shape in tf.train.list_variables(str(folder / "model.ckpt")):
        if name.endswith("/Momentum") or not name.startswith(prefix) or "/" not in name:
            continue
        if "batch_norm" in name:
            shape = shape[-1:]  # the Kinetics-600 file has (1, 1, 1, 1, channels)
        published[name.removeprefix(prefix)] = tuple(shape)
    ours = published_names(i3d(stream=stream, endpoint="Logits", num_classes=classes))
    assert {name: tuple(v.shape) for name, v in ours.items()} == published
    assert len(ours) == 230


def test_all_variables_are_named(small):
    assert {id(v) for v in published_names(small).values()} == {id(v) for v in small.weights}
    assert "Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w" in published_names(small)


def test_parameter_count():
    assert i3d(endpoint="Mixed_5c").count_params() == 12_294_544


@pytest.mark.parametrize("frames, out", [(16, 2), (64, 8), (79, 10)])
@pytest.mark.parametrize("padding", ["same", "static"])
def test_time_is_halved_rounding_up(frames, out, padding):
    model = i3d(num_frames=frames, width=1 / 32, padding=padding)
    assert model.output_shape == (None, out, 7, 7, model.output_shape[-1])


def test_end_points_have_their_published_sizes():
    sizes = {
        "Conv3d_1a_7x7": (8, 112, 112, 64),
        "MaxPool3d_2a_3x3": (8, 56, 56, 64),
        "Conv3d_2c_3x3": (8, 56, 56, 192),
        "MaxPool3d_3a_3x3": (8, 28, 28, 192),
        "Mixed_3b": (8, 28, 28, 256),
        "Mixed_3c": (8, 28, 28, 480),
        "MaxPool3d_4a_3x3": (4, 14, 14, 480),
        "Mixed_4b": (4, 14, 14, 512),
        "Mixed_4e": (4, 14, 14, 528),
        "Mixed_4f": (4, 14, 14, 832),
        "MaxPool3d_5a_2x2": (2, 7, 7, 832),
        "Mixed_5b": (2, 7, 7, 832),
        "Mixed_5c": (2, 7, 7, 1024),
    }
    model = i3d(num_frames=16, endpoint="Logits")
    for name, size in sizes.items():
        assert tuple(model.get_layer(name).output.shape[1:]) == size
    assert model.output_shape == (None, 400)


def _copy(source, target):
    for name, variable in published_names(target).items():
        variable.assign(published_names(source)[name])


def test_paddings_agree_on_even_lengths_and_differ_on_odd_ones(small):
    rng = np.random.default_rng(0)
    static = i3d(num_frames=16, image_size=32, width=1 / 16, padding="static")
    _copy(small, static)
    clip = rng.uniform(0, 255, (1, 16, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(small(clip), static(clip), rtol=1e-4, atol=1e-5)
    models = [
        i3d(num_frames=15, image_size=32, width=1 / 16, padding=p, endpoint="MaxPool3d_4a_3x3")
        for p in ("same", "static")
    ]
    _copy(*models)
    same, static = (np.asarray(model(clip[:, :15])) for model in models)
    assert same.shape == static.shape
    assert np.abs(same - static).max() > 1e-3


def test_normalisation_is_part_of_the_model(small):
    scaling = small.get_layer("scaling")
    np.testing.assert_allclose(scaling(np.array([[[[[0.0, 127.5, 255.0]]]]])), [[[[[-1, 0, 1]]]]])
    flow = i3d(stream="flow", num_frames=16, image_size=32, width=1 / 32, endpoint="Conv3d_1a_7x7")
    values = flow.get_layer("scaling")(np.array([[[[[-40.0, 10.0]]]]]))
    np.testing.assert_allclose(values, [[[[[-1, 0.5]]]]])


def test_any_length_and_logits():
    model = i3d(image_size=32, width=1 / 32, endpoint="Logits", num_classes=5)
    for frames in (16, 24):
        out = np.asarray(model(np.zeros((2, frames, 32, 32, 3), "uint8")))
        assert out.shape == (2, 5) and np.isfinite(out).all()


@pytest.mark.parametrize(
    "arguments, rule",
    [
        ({"stream": "depth"}, "`stream`"),
        ({"endpoint": "Mixed_6a"}, "`endpoint`"),
        ({"padding": "valid"}, "`padding`"),
        ({"width": 0}, "`width`"),
    ],
)
def test_wrong_arguments_are_named(arguments, rule):
    with pytest.raises(ValueError, match=rule):
        i3d(**arguments)


def test_end_points_are_listed_in_order():
    assert ENDPOINTS[0] == "Conv3d_1a_7x7" and ENDPOINTS[-2:] == ("Mixed_5c", "Logits")
