"""Keras's global settings have no effect: channels are last, and numbers are float32."""

import contextlib

import keras
import numpy as np
import pytest

import zoo
from tests.conformance.cases import LAYERS, MODELS
from tests.conformance.test_conformance import layer_model, numbers, run

BACKBONES = {
    "c3d": lambda: zoo.backbones.c3d(image_size=32, width=1 / 32, dense=True),
    "googlenet": lambda: zoo.backbones.googlenet(image_size=32),
    "i3d": lambda: zoo.backbones.i3d(image_size=32, width=1 / 32, num_frames=16),
    "lsts": lambda: zoo.lsts(image_size=32, width=1 / 32, num_frames=16),
    "resnet50": lambda: zoo.backbones.resnet50(image_size=32),
    "resnet50 v1.5": lambda: zoo.backbones.resnet50(image_size=32, version="v1.5", width=1 / 16),
    "small_cnn": lambda: zoo.backbones.small_cnn(image_size=32),
    "small_video": lambda: zoo.backbones.small_video(image_size=32, num_frames=6),
}
NETWORKS = {
    **{name: make for name, (make, _) in MODELS.items()},
    **{f"backbone {name}": make for name, make in BACKBONES.items()},
}


@contextlib.contextmanager
def setting(name):
    """Change one of Keras's global settings, and restore it."""
    before = keras.config.floatx(), keras.config.image_data_format()
    if name == "float64":
        keras.config.set_floatx("float64")
    else:
        keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_image_data_format(before[1])


@pytest.mark.parametrize("name", ["channels_first", "float64"])
@pytest.mark.parametrize("layer", ["AttentionConvLSTM", "SpatialMask", "SaliencyFeedback"])
def test_layers(layer, name):
    factory, shapes = LAYERS[layer]
    inputs = [numbers(shape, index) for index, shape in enumerate(shapes)]
    outputs = []
    for context in (contextlib.nullcontext(), setting(name)):
        keras.utils.set_random_seed(0)
        with context:
            outputs.append(run(layer_model(factory, [x.shape for x in inputs]), inputs))
    for one, two in zip(*outputs):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_builders_keep_channels_last(name):
    keras.utils.set_random_seed(0)
    plain = NETWORKS[name]()
    with setting("channels_first"):
        other = NETWORKS[name]()
        assert keras.config.image_data_format() == "channels_first"  # restored after building
    formats = [layer.data_format for layer in other._flatten_layers() if has_format(layer)]
    assert set(formats) <= {"channels_last"}
    assert [w.shape for w in other.weights] == [w.shape for w in plain.weights]
    shapes = (keras.tree.map_structure(lambda x: x.shape, m.output) for m in (plain, other))
    assert next(shapes) == next(shapes)


def has_format(layer):
    return getattr(layer, "data_format", None) is not None


@pytest.mark.parametrize("name", [name for name in NETWORKS if "backbone" not in name])
def test_models_in_float64(name):
    with setting("float64"):
        model = NETWORKS[name]()
        shape = [
            extent or (1 if at == 0 else 18) for at, extent in enumerate(model.inputs[0].shape)
        ]
        assert all(np.isfinite(value).all() for value in run(model, [numbers(tuple(shape))]))
