"""`weights=` of the builders: a file or a record's name selects the graph and loads it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from tests.weights.files import npz_bytes, write_keras_2
from zoo.backbones import c3d, googlenet, i3d, resnet50
from zoo.backbones.convert import convert
from zoo.models import frame_baseline
from zoo.weights import ORIGINS, RECORDS, Record, WeightsError, graph_options, load_weights
from zoo.weights.names.layouts import convolution, dense
from zoo.weights.trust import digest_of, trust

C3D = {"width": 0.0625, "image_size": 64, "endpoint": "conv5b"}
POOL5 = {**C3D, "endpoint": "pool5", "image_size": 80}
I3D = {"width": 0.05, "image_size": 32}
SHORT_I3D = {**I3D, "endpoint": "Mixed_3b"}
GOOGLENET = {"width": 0.05, "image_size": 64, "endpoint": "inception3a"}
RESNET = {"width": 0.05, "image_size": 64, "endpoint": "layer1"}


def origin(name):
    return next(origin for origin in ORIGINS if origin.name == name)


def publish(path, name, model, prefix="", rest=False):
    """A file with random numbers for `model` in the naming and layout of an origin.

    With `rest`, layers that a shortened model lacks also get an (unused) tensor.
    """
    random, tensors = np.random.default_rng(0), {}
    variables = {variable.path: variable for variable in model.weights}
    for rule in origin(name).rules(model):
        if rule.target not in variables:
            if rest:
                tensors[prefix + rule.source] = np.zeros((1, 1, 1, 1, 1), "float32")
            continue
        shape = tuple(variables[rule.target].shape)
        if rule.layout is convolution:
            shape = (shape[-1], shape[-2], *shape[:-2])
        elif rule.layout is dense:
            shape = shape[::-1]
        value = random.uniform(0.5, 1.5, shape) / max(1, np.prod(shape[1:]))
        tensors[prefix + rule.source] = value.astype("float32")
    path.write_bytes(npz_bytes(tensors))
    return path


def outputs(model, seed=0):
    shape = [n or (16 if i == 1 else 1) for i, n in enumerate(model.input_shape)]
    return model(np.random.default_rng(seed).uniform(0, 255, shape).astype("float32"))


def variables(model):
    return {variable.path: np.asarray(variable) for variable in model.weights}


def graph(model):
    """The properties that distinguish the published graphs."""
    layers = {layer.name: layer for layer in model.layers}
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    pad = layers.get("pool5_pad")
    return {
        "static": any(name.endswith("__pad") for name in layers),
        "same_time": any(name.endswith("__pad_time") for name in layers),
        "epsilon": norms[0].epsilon if norms else None,
        "gamma": norms[0].scale if norms else None,
        "pool5": pad.padding[1][0] if pad else None,
        "five": "inception_3a_5x5" in layers,
    }


@pytest.mark.parametrize(
    ("name", "builder", "build", "chosen", "expected"),
    [
        ("c3d_pytorch", c3d, POOL5, "none", {"pool5": 1}),
        ("c3d_pytorch_features", c3d, C3D, "bgr_ucf101", {}),
        ("c3d_mmaction", c3d, C3D, "rgb_sports1m", {}),
        (
            "c3d_caffe",
            c3d,
            {**C3D, "endpoint": "pool5", "image_size": 80},
            "sports1m",
            {"pool5": 0},
        ),
        (
            "i3d_tensorflow",
            i3d,
            SHORT_I3D,
            None,
            {"epsilon": 1e-3, "gamma": False, "static": False},
        ),
        ("i3d_pytorch", i3d, SHORT_I3D, None, {"epsilon": 1e-3, "gamma": True, "static": False}),
        (
            "i3d_pytorch_hassony2",
            i3d,
            SHORT_I3D,
            None,
            {"epsilon": 1e-3, "gamma": True, "static": True, "same_time": True},
        ),
        ("i3d_keras", i3d, SHORT_I3D, None, {"epsilon": 1e-3, "gamma": False, "static": False}),
        ("googlenet_torchvision", googlenet, GOOGLENET, None, {"epsilon": 1e-3, "five": False}),
        ("googlenet_bvlc", googlenet, GOOGLENET, None, {"epsilon": None, "five": True}),
        ("resnet50_torchvision", resnet50, RESNET, None, {"epsilon": 1e-5}),
    ],
)
def test_a_backbone_takes_the_graph_of_its_file(tmp_path, name, builder, build, chosen, expected):
    options = {k: v for k, v in origin(name).options.items() if k != "preprocessing"}
    if chosen is not None:
        assert origin(name).options["preprocessing"] == chosen
        options["preprocessing"] = chosen
    reference = builder(**build, **options)
    path = publish(tmp_path / "weights.npz", name, reference, rest=builder is not c3d)
    model = builder(**build, weights=path)
    found = graph(model)
    assert {key: found[key] for key in expected} == expected
    assert found == graph(reference)
    load_weights(reference, path)
    assert model.name == reference.name
    np.testing.assert_array_equal(outputs(model), outputs(reference))
    assert float(np.ptp(outputs(model))) > 0


def test_the_flow_stream_and_the_classes_are_the_files(tmp_path):
    flow = {"stream": "flow", "num_classes": 7, "endpoint": "Logits"}
    path = publish(
        tmp_path / "flow.npz", "i3d_tensorflow", i3d(**I3D, **flow), "Flow/inception_i3d/"
    )
    model = i3d(**I3D, weights=path)
    assert model.input_shape[-1] == 2 and model.output_shape[-1] == 50
    assert i3d(**I3D, endpoint="Logits", weights=path).output_shape == (None, 7)


def test_a_given_argument_has_priority(tmp_path):
    path = publish(tmp_path / "w.npz", "c3d_pytorch", c3d(**C3D))
    model = c3d(**C3D, weights=path, preprocessing="rgb_unit")
    assert model.get_layer("input_normalization").scale == 127.5
    assert c3d(**C3D, weights=path).get_layer("input_normalization").scale == 1.0
    with pytest.warns(UserWarning, match=r"other settings \({'pool5_padding': 'symmetric'}\)"):
        model = c3d(width=0.0625, image_size=80, weights=path, pool5_padding="caffe")
    assert graph(model)["pool5"] == 0
    with pytest.raises(WeightsError, match="must hold a i3d"):
        i3d(weights=path)
    with pytest.raises(WeightsError, match="must be of a googlenet, such as googlenet_imagenet"):
        googlenet(weights="resnet50_imagenet_keras")


def test_a_record_by_name_and_its_own_options(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path))
    settings = {"preprocessing": "rgb_unit"}
    record = Record("here", "c3d", "w.npz", "c3d_pytorch", page="https://p", options=settings)
    monkeypatch.setitem(RECORDS, "here", record)
    with pytest.raises(WeightsError, match=r"Get w\.npz from https://p and .*here/w\.npz"):
        zoo.rmdn(width=0.0625, image_size=64, backbone_weights="here")
    (tmp_path / "here").mkdir()
    publish(tmp_path / "here" / "w.npz", "c3d_pytorch", c3d(**C3D))
    model = c3d(**C3D, weights="here")
    assert model.get_layer("input_normalization").scale == 127.5


def test_rmdn_takes_any_file_and_a_converted_one(tmp_path):
    small = {"width": 0.0625, "image_size": 80}
    head = {**small, "units": 3, "num_components": 2, "endpoint": "conv5b"}
    source = c3d(**small, endpoint="pool5", pool5_padding="symmetric")
    path = publish(tmp_path / "w.npz", "c3d_pytorch", source)
    converted, provenance = convert(path, output=tmp_path / "c.weights.h5", **small)
    assert provenance["options"]["endpoint"] == "conv5b"
    pooled, _ = convert(path, output=tmp_path / "p.keras", **small, endpoint="pool5")
    backbones = []
    for weights in (path, converted, pooled):
        model = zoo.rmdn(**head, backbone_weights=weights)
        layer = model.get_layer("backbone").layer
        assert layer.get_layer("input_normalization").channel_order == "rgb"
        backbones.append(variables(layer))
    for other in backbones[1:]:
        assert list(other) == list(backbones[0])
        for name, value in backbones[0].items():
            np.testing.assert_array_equal(other[name], value)
    dense = zoo.rmdn(**head, dense=True, backbone_weights=pooled)
    np.testing.assert_array_equal(
        dense.get_layer("c3d").get_layer("conv5a").kernel, backbones[0]["conv5a/kernel"]
    )
    with pytest.raises(WeightsError, match='pool5_padding="symmetric"'):
        load_weights(c3d(**small, endpoint="pool5"), pooled)
    with pytest.raises(WeightsError, match=r"not in such files +fc6/kernel"):
        c3d(**small, endpoint="fc6", weights=pooled)


def test_a_converted_classifier_gives_features(tmp_path):
    top = {"width": 0.0625, "image_size": 64, "include_top": True, "num_classes": 5}
    model = c3d(**top)
    path = tmp_path / "own.npz"
    path.write_bytes(npz_bytes(variables(model)))
    rules = {rule.target: rule.source for rule in origin("c3d_keras").rules(model)}
    layers = {}
    for name, value in variables(model).items():
        layer, variable = rules[name].split("/")
        layers.setdefault(layer, {})[variable] = value
    path = write_keras_2(tmp_path / "sports1M_weights_tf.h5", layers)
    whole, provenance = convert(path, output=tmp_path / "whole.weights.h5", **top)
    assert provenance["tensors"] == 22
    features = c3d(width=0.0625, image_size=64, endpoint="fc6", weights=whole)
    np.testing.assert_array_equal(features.get_layer("fc6").kernel, model.get_layer("fc6").kernel)
    told = load_weights(c3d(**C3D), whole)
    assert "fc8/kernel: the model has no layer fc8" in told["left_out"]


@pytest.mark.parametrize(
    "build",
    [
        zoo.soft_attention,
        pytest.param(zoo.spatiotemporal_attention, marks=pytest.mark.slow),
        pytest.param(frame_baseline, marks=pytest.mark.slow),
    ],
)
def test_the_action_models(tmp_path, build):
    path = publish(tmp_path / "g.npz", "googlenet_bvlc", googlenet(batch_norm=False))
    options = {"num_classes": 3, "num_frames": 2, "image_size": 64, "backbone_weights": path}
    model = build(backbone="googlenet", **options)
    layer = model.get_layer("backbone").layer
    assert graph(layer)["five"]
    assert not layer.trainable
    kernel = np.load(path)["inception_5b/1x1/0"]
    np.testing.assert_array_equal(
        layer.get_layer("inception_5b_1x1").kernel, kernel.transpose(2, 3, 1, 0)
    )


@pytest.mark.slow
def test_lsts(tmp_path):
    static = i3d(**I3D, padding="static", bn_epsilon=1e-5, bn_scale=True)
    path = publish(tmp_path / "i.npz", "i3d_pytorch_static", static)
    model = zoo.lsts(**I3D, num_frames=9, output_size=(8, 16), backbone_weights=path)
    inner = model.get_layer("rgb_features").get_layer("i3d_rgb")
    # Given by path, a file with these names computes like its repository.
    ported = {"padding": "static_same_time", "bn_epsilon": 1e-3, "bn_scale": True}
    assert graph(inner) == graph(i3d(**I3D, **ported))
    kernel = np.load(path)["conv3d_1a_7x7.conv3d.weight"]
    np.testing.assert_array_equal(
        inner.get_layer("Conv3d_1a_7x7__conv_3d").kernel, kernel.transpose(2, 3, 4, 1, 0)
    )
    with pytest.warns(UserWarning, match="other settings"):
        zoo.lsts(**I3D, num_frames=9, output_size=(8, 16), padding="same", backbone_weights=path)


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [None, 1000])
def test_imagenet_by_name(tmp_path, monkeypatch, num_classes):
    """The file of keras.applications where its record stores it, with and without classes."""
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path))
    top = num_classes is not None
    record = RECORDS["resnet50_imagenet_keras" + ("" if top else "_no_top")]
    original = keras.applications.ResNet50(weights=None, include_top=top, input_shape=(224, 224, 3))
    layers = {}
    for layer in original.layers:
        for variable in layer.weights:
            layers.setdefault(layer.name, {})[variable.name] = np.asarray(variable)
    folder = tmp_path / record.name
    folder.mkdir()
    path = write_keras_2(folder / record.file, layers)
    trust(folder, {record.file: digest_of(path)})  # a substitute for the published file
    model = resnet50(weights="imagenet", num_classes=num_classes)
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype("float32")
    inputs = keras.applications.resnet50.preprocess_input(pixels.copy())
    expected = original(inputs)
    found = keras.ops.softmax(model(pixels)) if top else model(pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_the_i3d_copy_that_lsts_used_has_its_own_record(tmp_path, monkeypatch):
    options = {"padding": "static", "bn_epsilon": 1e-5, "bn_scale": True}
    reference = i3d(**SHORT_I3D, **options)
    path = publish(tmp_path / "w.npz", "i3d_pytorch_static", reference, rest=True)
    record = Record("lsts", "i3d", "w.npz", "i3d_pytorch_static")
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setitem(RECORDS, "lsts", record)
    (tmp_path / "cache" / "lsts").mkdir(parents=True)
    (tmp_path / "cache" / "lsts" / "w.npz").write_bytes(path.read_bytes())
    load_weights(reference, "lsts")
    wanted = outputs(reference)
    np.testing.assert_array_equal(outputs(i3d(**SHORT_I3D, weights="lsts")), wanted)
    # Given by path, the same file computes like its repository, unless arguments differ.
    assert np.abs(outputs(i3d(**SHORT_I3D, weights=path)) - wanted).max() > 0
    with pytest.warns(UserWarning, match="other settings"):
        model = i3d(**SHORT_I3D, weights=path, **options)
    np.testing.assert_array_equal(outputs(model), wanted)
    for name in ("rgb", "flow"):
        assert RECORDS[f"i3d_{name}_imagenet_pytorch_static"].origin == "i3d_pytorch_static"
        assert RECORDS[f"i3d_{name}_imagenet_pytorch_hassony2"].origin == "i3d_pytorch_hassony2"


def c3d_of(path, classes):
    """A file with the variable names of two programs, with a classifier."""
    names = [rule.source for rule in origin("c3d_pytorch").rules(None)]
    tensors = {f"module.{name}": np.zeros((2, 2), "float32") for name in names}
    tensors["module.fc8.weight"] = np.zeros((classes, 2), "float32")
    path.write_bytes(npz_bytes(tensors))
    return path


def test_a_fine_tuned_c3d_uses_the_preprocessing_of_its_program(tmp_path):
    for classes, wanted in ((487, "none"), (101, "bgr_ucf101"), (51, "bgr_ucf101")):
        found = graph_options(c3d_of(tmp_path / "w.npz", classes))
        assert (found["preprocessing"], found["num_classes"]) == (wanted, classes)


def test_a_c3d_of_unknown_training_asks(tmp_path):
    path = c3d_of(tmp_path / "w.npz", 7)
    with pytest.raises(WeightsError, match=r"preprocessing must be given .*bgr_ucf101"):
        c3d(width=0.0625, weights=path)
    with pytest.raises(WeightsError, match="other shape"):  # if given, reading continues
        c3d(width=0.0625, weights=path, preprocessing="rgb_unit")


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module._orig_mod.", "encoder/backbone/"])
def test_a_common_prefix_of_all_names_is_removed_and_reported(tmp_path, prefix):
    model = resnet50(**RESNET, version="v1.5")
    path = publish(tmp_path / "w.npz", "resnet50_torchvision", model, prefix, rest=True)
    with pytest.warns(UserWarning, match=f"ignored the prefix '{prefix}'"):
        found = resnet50(**RESNET, weights=path)
    plain = publish(tmp_path / "p.npz", "resnet50_torchvision", model, rest=True)
    np.testing.assert_array_equal(outputs(found), outputs(resnet50(**RESNET, weights=plain)))
    tensors = {f"{prefix}{variable.path}": np.asarray(variable) for variable in model.weights}
    (tmp_path / "own.npz").write_bytes(npz_bytes(tensors))
    fresh = resnet50(**RESNET, version="v1.5")
    with pytest.warns(UserWarning, match="ignored the prefix"):
        load_weights(fresh, tmp_path / "own.npz")
    np.testing.assert_array_equal(outputs(fresh), outputs(model))
