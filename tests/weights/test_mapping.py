from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.real_data import data_dir
from tests.weights.files import (
    write_caffe,
    write_keras_2,
    write_safetensors,
    write_torch_legacy,
    write_torch_zip,
)
from zoo.backbones import c3d, i3d, resnet50
from zoo.weights import ORIGINS, WeightsError, load_weights, pretrained
from zoo.weights.formats.tensorflow_checkpoint import list_checkpoint
from zoo.weights.mapping import plan
from zoo.weights.names.origin import recognise

LAYERS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
PLAIN = ("conv1", "conv2", *LAYERS[2:], "fc6", "fc7", "fc8")
BUILD = {"width": 0.0625, "image_size": 80, "include_top": True, "num_classes": 5}


@pytest.fixture(scope="module")
def original():
    keras.utils.set_random_seed(3)
    model = c3d(**BUILD, preprocessing="none")
    for variable in model.weights:  # biases too
        variable.assign(np.random.default_rng(4).normal(size=variable.shape) * 0.05)
    return model


@pytest.fixture(scope="module")
def state(original):
    """The weights in PyTorch's layout, written element by element rather than by reshaping."""
    result = {}
    for name in (*LAYERS, "fc6", "fc7", "fc8"):
        layer = original.get_layer(name)
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        if name.startswith("conv"):
            kernel = np.einsum("dhwio->oidhw", kernel)
        elif name == "fc6":
            _, time, height, width, channels = original.get_layer("flatten").input.shape
            foreign = np.zeros(kernel.shape[::-1], "float32")
            for place in np.ndindex(channels, time, height, width):
                theirs = np.ravel_multi_index(place, (channels, time, height, width))
                ours = np.ravel_multi_index((*place[1:], place[0]), (time, height, width, channels))
                foreign[:, theirs] = kernel[ours]
            kernel = foreign
        else:
            kernel = kernel.T
        plain = {"conv1a": "conv1", "conv2a": "conv2"}.get(name, name)
        result[f"{plain}.weight"] = np.ascontiguousarray(kernel)
        result[f"{plain}.bias"] = keras.ops.convert_to_numpy(layer.bias)
    return result


def pairs(state):
    return {name: [state[f"{name}.weight"], state[f"{name}.bias"]] for name in PLAIN}


def renamed(state, names):
    old = dict(zip(PLAIN, names))
    return {f"{old[k.split('.')[0]]}.{k.split('.')[1]}": v for k, v in state.items()}


FEATURES = (
    *(f"features.{n}" for n in (0, 3, 6, 8, 11, 13, 16, 18)),
    *(f"classifier.{n}" for n in (0, 3, 6)),
)
CAFFE = (*LAYERS, "fc6-1", "fc7-1", "fc8-1")


def caffe(path, state):
    return write_caffe(path, dict(zip(CAFFE, pairs(state).values())), "c3d")


def keras_file(path, state, original):
    layers = {}
    for ours, plain in zip((*LAYERS, "fc6", "fc7", "fc8"), PLAIN):
        layer = original.get_layer(ours)
        kernel, bias = map(keras.ops.convert_to_numpy, (layer.kernel, layer.bias))
        layers[plain] = {"kernel": kernel, "bias": bias}
    return write_keras_2(path, layers)


@pytest.mark.parametrize(
    "form", ["legacy", "zip", "module", "features", "mmaction", "safetensors", "caffe", "keras"]
)
def test_c3d_in_every_format(tmp_path, original, state, form):
    path = tmp_path / "weights"
    if form == "legacy":
        write_torch_legacy(path, state)
    elif form == "zip":
        write_torch_zip(path, state)
    elif form == "module":
        write_torch_zip(path, {f"module.{k}": v for k, v in state.items()}, nested="state_dict")
    elif form == "features":
        write_torch_legacy(path, renamed(state, FEATURES))
    elif form == "mmaction":
        names = (*(f"{name}.conv" for name in LAYERS), "fc6", "fc7", "fc8")
        write_torch_zip(path, renamed(state, names))
    elif form == "safetensors":
        write_safetensors(path, state)
    elif form == "caffe":
        caffe(path, state)
    else:
        keras_file(path, state, original)
    model = c3d(**BUILD, preprocessing="none")
    result = load_weights(model, path, check_graph=False)
    assert result["tensors"] == 22
    for ours, theirs in zip(model.weights, original.weights):
        np.testing.assert_array_equal(ours, theirs)


def test_half_precision_is_widened(tmp_path, original, state):
    half = {name: array.astype("float16") for name, array in state.items()}
    model = c3d(**BUILD, preprocessing="none")
    load_weights(model, write_torch_zip(tmp_path / "w.pth", half), check_graph=False)
    kernel = original.get_layer("fc7").kernel
    expected = keras.ops.convert_to_numpy(kernel).astype("float16").astype("float32")
    np.testing.assert_array_equal(model.get_layer("fc7").kernel, expected)


def test_weights_of_the_classifier_are_left_out_and_reported(tmp_path, state):
    model = c3d(image_size=80, width=0.0625, endpoint="conv5b", preprocessing="none")
    result = load_weights(model, write_torch_zip(tmp_path / "w.pth", state))
    assert len(result["left_out"]) == 6
    assert "fc6.weight: the model has no layer fc6" in result["left_out"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv4a.bias"), r"missing in the file +conv4a\.bias +conv4a/bias"),
        (lambda s: s.update(extra=np.ones(3)), r"unknown in the file +extra +\(3,\)"),
        (lambda s: s.update({"fc8.bias": np.ones(9)}), r"other shape +fc8\.bias +\(9,\)"),
        (lambda s: s.update({"fc7.bias": s["fc7.bias"] * np.nan}), "NaN or infinite +fc7.bias"),
        (
            lambda s: s.update({"conv3a.kernel": s.pop("conv3a.weight")}),
            r"(?s)missing in the file +conv3a\.weight.*unknown in the file +conv3a\.kernel",
        ),
    ],
)
def test_differences_are_listed_and_no_weight_is_set(tmp_path, state, change, message):
    state = dict(state)
    change(state)
    model = c3d(**BUILD, preprocessing="none")
    before = [keras.ops.convert_to_numpy(v) for v in model.weights]
    with pytest.raises(WeightsError, match=message):
        load_weights(model, write_torch_zip(tmp_path / "w.pth", state), check_graph=False)
    for value, variable in zip(before, model.weights):
        np.testing.assert_array_equal(variable, value)


def test_another_network_and_an_unknown_one(tmp_path, state):
    path = write_torch_zip(tmp_path / "w.pth", state)
    with pytest.raises(WeightsError, match=r"fits zoo\.backbones\.c3d"):
        load_weights(resnet50(version="v1.5", width=0.0625, image_size=32), path)
    with pytest.raises(WeightsError, match="must hold a i3d"):
        pretrained(path, architecture="i3d")
    path = write_torch_zip(tmp_path / "v.pth", {"encoder.0.weight": np.ones((3, 3), "float32")})
    with pytest.raises(WeightsError, match="published naming"):
        pretrained(path)


def test_the_graph_must_be_the_trained_one(tmp_path, state):
    path = write_torch_zip(tmp_path / "w.pth", state)
    with pytest.raises(WeightsError, match='pool5_padding="symmetric"'):
        load_weights(c3d(**BUILD, preprocessing="none"), path)
    load_weights(c3d(**BUILD, preprocessing="none"), path, check_graph=False)
    names = list_names("static")
    shapes = dict.fromkeys(names, (1,))
    assert recognise(shapes, ORIGINS)[0].name == "i3d_pytorch_hassony2"
    origin, _ = recognise(shapes, ORIGINS, "i3d_pytorch_static")
    assert origin.name == "i3d_pytorch_static"
    model = i3d(width=0.05, image_size=32, endpoint="MaxPool3d_2a_3x3")
    assert "static" in origin.graph(model)
    model = i3d(
        width=0.05, image_size=32, endpoint="MaxPool3d_2a_3x3", padding="static", bn_epsilon=1e-5
    )
    assert origin.graph(model) is None


def list_names(kind):
    origin = next(o for o in ORIGINS if o.name == f"i3d_pytorch_{kind}")
    return [rule.source for rule in origin.rules(None)]


def test_the_mean_clip_is_read_and_cropped(tmp_path, state):
    mean = np.random.default_rng(0).uniform(0, 255, (3, 16, 128, 171)).astype("float32")
    np.save(tmp_path / "mean.npy", mean)
    model = c3d(width=0.0625, endpoint="conv5b", preprocessing="sports1m_mean_cube")
    path = caffe(tmp_path / "net", state)
    with pytest.raises(WeightsError, match="input_normalization/mean_image"):
        load_weights(model, path)
    load_weights(model, path, mean_clip=tmp_path / "mean.npy")
    found = keras.ops.convert_to_numpy(model.get_layer("input_normalization").mean_image)
    np.testing.assert_array_equal(found, mean[:, :, 8:120, 30:142].transpose(1, 2, 3, 0))


@pytest.mark.parametrize(
    ("name", "prefix", "stream", "left_out"),
    [
        ("rgb_imagenet", "RGB/inception_i3d/", "rgb", 0),
        ("flow_imagenet", "Flow/inception_i3d/", "flow", 0),
        ("rgb_scratch_kin600", "", "rgb", 116),
    ],
)
def test_real_index_files_map_completely(name, prefix, stream, left_out):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    folder = data_dir("annotations", "i3d_checkpoints", name)
    shapes = list_checkpoint(folder / "model.ckpt.index")
    origin, found = recognise(shapes, ORIGINS)
    assert (origin.name, found) == ("i3d_tensorflow", prefix)
    options = origin.head({key[len(prefix) :]: shape for key, shape in shapes.items()})
    assert options["stream"] == stream
    assert options["num_classes"] == (600 if "600" in name else 400)
    model = i3d(**origin.options, **options, num_frames=16)
    result = plan(origin, found, shapes, model)
    assert result.problems == []
    assert len(result.assignments) == len(model.weights) == 230
    assert len(result.left_out) == left_out
    assert all(key.endswith("/Momentum") for key, _ in result.left_out)


# The published names of one unit's statistics in each file, not taken from the name map.
STATISTICS = {
    "i3d_pytorch": {
        "gamma": "Conv3d_1a_7x7.bn.weight",
        "beta": "Conv3d_1a_7x7.bn.bias",
        "moving_mean": "Conv3d_1a_7x7.bn.running_mean",
        "moving_variance": "Conv3d_1a_7x7.bn.running_var",
    },
    "i3d_pytorch_hassony2": {
        "gamma": "conv3d_1a_7x7.batch3d.weight",
        "beta": "conv3d_1a_7x7.batch3d.bias",
        "moving_mean": "conv3d_1a_7x7.batch3d.running_mean",
        "moving_variance": "conv3d_1a_7x7.batch3d.running_var",
    },
    "i3d_tensorflow": {
        name: f"Conv3d_1a_7x7/batch_norm/{name}"
        for name in ("beta", "moving_mean", "moving_variance")
    },
    "i3d_keras": {
        name: f"Conv3d_1a_7x7_bn/{name}" for name in ("beta", "moving_mean", "moving_variance")
    },
    "resnet50_torchvision": {
        "gamma": "bn1.weight",
        "beta": "bn1.bias",
        "moving_mean": "bn1.running_mean",
        "moving_variance": "bn1.running_var",
    },
    "googlenet_torchvision": {
        "gamma": "conv1.bn.weight",
        "beta": "conv1.bn.bias",
        "moving_mean": "conv1.bn.running_mean",
        "moving_variance": "conv1.bn.running_var",
    },
}


@pytest.mark.parametrize("name", STATISTICS)
def test_each_statistic_goes_to_its_own_variable(name):
    origin = next(origin for origin in ORIGINS if origin.name == name)
    targets = {rule.source: rule.target for rule in origin.rules(None)}
    for variable, source in STATISTICS[name].items():
        assert targets[source].rsplit("/", 1)[1] == variable
    layers = {targets[source].rsplit("/", 1)[0] for source in STATISTICS[name].values()}
    assert len(layers) == 1
