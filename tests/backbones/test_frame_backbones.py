import keras
import numpy as np
import pytest
from keras import ops

from zoo.backbones import googlenet, resnet50, small_cnn
from zoo.backbones.googlenet import ENDPOINTS, _overhang
from zoo.layers import LocalResponseNormalization


def shapes(build, **options):
    with keras.StatelessScope():  # allocates no memory for the weights
        model = build(**options)
    return model, sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_published_parameter_counts():
    assert shapes(googlenet, num_classes=1000)[1] == 6_624_904
    assert shapes(googlenet, num_classes=1000, batch_norm=False)[1] == 6_998_552
    assert shapes(resnet50, version="v1.5", num_classes=1000)[1] == 25_557_032
    assert shapes(resnet50, version="v1", num_classes=1000)[1] == 25_583_592


def test_maps():
    for batch_norm in (True, False):
        model, _ = shapes(googlenet, batch_norm=batch_norm)
        assert model.output_shape == (None, 7, 7, 1024)
        edges = [model.get_layer(name).output.shape[1] for name in ENDPOINTS]
        assert edges == [112, 56, 28, 28, 14, 14, 14, 14, 14, 7, 7]
    assert shapes(resnet50, version="v1")[0].output_shape == (None, 7, 7, 2048)
    eight, _ = shapes(resnet50, version="v1.5", image_size=256)
    assert eight.output_shape == (None, 8, 8, 2048)
    assert eight.get_layer("layer2").output.shape[1:] == (32, 32, 512)
    assert shapes(small_cnn)[0].output_shape == (None, 7, 7, 64)


@pytest.mark.parametrize("edge", [7, 8, 13, 14, 55, 56, 112])
@pytest.mark.parametrize("size", [2, 3])
def test_pooling_rounds_up(edge, size):
    outputs = (edge + _overhang(edge, size) - size) // 2 + 1
    expected = -(-(edge - size) // 2) + 1
    assert outputs == expected
    assert (outputs - 1) * 2 < edge  # every window starts inside the map


@pytest.mark.parametrize("batch_norm", [True, False])
def test_narrow_googlenet_accepts_any_size(batch_norm):
    model = googlenet(batch_norm=batch_norm, width=0.06, image_size=(61, 40))
    frames = np.random.default_rng(0).integers(0, 256, (2, 61, 40, 3)).astype("uint8")
    features = model.predict(frames, verbose=0)
    assert features.shape == (2, *model.output_shape[1:])
    assert np.isfinite(features).all() and (features >= 0).all()


def test_preprocessing_is_part_of_the_model():
    pixels = np.zeros((1, 32, 32, 3), "float32")
    pixels[..., 0] = 255.0  # red

    def seen(model):
        probe = keras.Model(model.input, model.get_layer("preprocessing").output)
        return ops.convert_to_numpy(probe(pixels))[0, 0, 0]

    np.testing.assert_allclose(seen(googlenet(width=0.05, image_size=32)), [1, -1, -1])
    bvlc = googlenet(batch_norm=False, width=0.05, image_size=32)
    np.testing.assert_allclose(seen(bvlc), [-104, -117, 255 - 123], rtol=1e-6)
    torch = resnet50(version="v1.5", width=0.05, image_size=32)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    np.testing.assert_allclose(seen(torch), expected, rtol=1e-4)


def test_local_response_normalization_against_a_loop():
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 7)).astype("float32") * 20
    expected = np.empty_like(x)
    for c in range(7):
        near = x[..., max(0, c - 2) : c + 3]
        expected[..., c] = x[..., c] / (1 + 1e-4 / 5 * (near**2).sum(-1)) ** 0.75
    np.testing.assert_allclose(LocalResponseNormalization()(x), expected, rtol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="`endpoint` must be one of"):
        googlenet(endpoint="inception6a")
    with pytest.raises(ValueError, match="`version` must be"):
        resnet50(version="v2")
    with pytest.raises(ValueError, match="`width` must be 1 with version"):
        resnet50(width=0.5)
    with pytest.raises(ValueError, match="With `num_classes`, `endpoint` must be"):
        googlenet(endpoint="conv3", num_classes=5)
