"""`weights=` and `backbone_weights=` with files saved by the zoo."""

import keras
import numpy as np
import pytest

import zoo
from zoo.backbones import c3d, small_cnn
from zoo.weights import WeightsError, load_weights

SMALL = {"image_size": 32, "width": 0.05}
RMDN = {**SMALL, "units": 4, "num_components": 2, "dense": True}
JOINT = {**RMDN, "num_classes": 3}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("saved")
    models = {"rmdn": zoo.rmdn(**RMDN), "joint": zoo.joint(**JOINT)}
    models["soft"] = zoo.soft_attention(num_classes=3, units=8, backbone=small_cnn(image_size=32))
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    return models, folder


def values(model):
    return {v.path: keras.ops.convert_to_numpy(v) for v in model.weights}


def same(model, other):
    ours, theirs = values(model), values(other)
    return all(np.array_equal(value, theirs[name]) for name, value in ours.items())


def test_a_trunk_from_a_whole_model(saved):
    models, folder = saved
    path = str(folder / "rmdn.keras")
    assert same(c3d(**SMALL, dense=True, weights=path), models["rmdn"])
    trunk = zoo.joint(**JOINT, backbone_weights=path).get_layer("c3d")
    assert same(trunk, models["rmdn"])
    # The clip network has the same weights as the dense one.
    assert same(c3d(**SMALL, weights=path), models["rmdn"])


def test_a_whole_model_from_a_larger_one(saved):
    models, folder = saved
    path = folder / "joint.keras"
    assert same(zoo.rmdn(**RMDN, weights=path), models["joint"])
    told = load_weights(zoo.rmdn(**RMDN), path)
    assert any(line.startswith("action/kernel") for line in told["left_out"])


def test_a_backbone_of_single_frames(saved):
    models, folder = saved
    path = str(folder / "soft.keras")
    backbone = small_cnn(image_size=32)
    load_weights(backbone, path)
    assert same(backbone, models["soft"])
    again = zoo.soft_attention(
        num_classes=5, units=8, backbone=small_cnn(image_size=32), backbone_weights=path
    )
    assert same(again.get_layer("backbone").layer, models["soft"])


def test_differences_are_a_table(saved):
    _, folder = saved
    path = str(folder / "rmdn.keras")
    with pytest.raises(WeightsError, match=r"2 differences:[\s\S]*action/kernel +\(\d+, 3\)"):
        zoo.joint(**JOINT, weights=path)
    with pytest.raises(WeightsError, match=r"other shape +conv1a/kernel +\(3, 3, 3, 3, 3\)"):
        zoo.rmdn(**{**RMDN, "width": 0.1}, backbone_weights=path)
    with pytest.raises(WeightsError, match="no layer with weights in common"):
        c3d(image_size=32, width=0.05, weights=str(folder / "soft.keras"))


def test_other_settings_of_the_same_shapes(tmp_path):
    options = {"image_size": 80, "width": 0.05, "endpoint": "pool5"}
    path = str(tmp_path / "caffe.keras")
    c3d(**options, pool5_padding="caffe").save(path)
    with pytest.raises(WeightsError, match=r"other setting +pool5_pad.padding"):
        c3d(**options, pool5_padding="symmetric", weights=path)
    load_weights(c3d(**options, pool5_padding="symmetric"), path, check_graph=False)


def test_a_file_of_another_library(tmp_path):
    class Odd(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((3,))
    path = tmp_path / "odd.keras"
    keras.Model(inputs, Odd()(keras.layers.Dense(2)(inputs))).save(path)
    with pytest.raises(WeightsError, match="layers of the zoo or Keras"):
        load_weights(c3d(**SMALL), path)
    with pytest.raises(ValueError, match=r"consist of layers of Keras and of the zoo.*Odd"):
        zoo.load(path)
