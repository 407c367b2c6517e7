"""ResNet-50 against a PyTorch reference in torchvision's naming, and Keras's own file."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.weights.files import write_keras_2
from tests.weights.parity.compare import check, randomise, reference_points, save, torch
from zoo.backbones import resnet50
from zoo.models import soft_attention
from zoo.weights import WeightsError, load_weights, pretrained

pytestmark = pytest.mark.slow

CLASSES = 11
SIZES = [(64, 64), (75, 97)]


class Bottleneck(torch.nn.Module):
    def __init__(self, before, width, stride, downsample):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(width)
        self.conv2 = torch.nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(width)
        self.conv3 = torch.nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = torch.nn.BatchNorm2d(4 * width)
        if downsample:
            conv = torch.nn.Conv2d(before, 4 * width, 1, stride, bias=False)
            self.downsample = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(4 * width))

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return torch.relu(self.bn3(self.conv3(x)) + shortcut)


class Reference(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(64)
        before = 64
        for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            layers = []
            for block in range(blocks):
                stride = 2 if stage > 1 and block == 0 else 1
                layers.append(Bottleneck(before, width, stride, block == 0))
                before = 4 * width
            self.add_module(f"layer{stage}", torch.nn.Sequential(*layers))
        self.fc = torch.nn.Linear(before, CLASSES)

    def points(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.nn.functional.max_pool2d(x, 3, 2, 1)
        points = {}
        for stage in range(1, 5):
            x = points[f"layer{stage}"] = self.get_submodule(f"layer{stage}")(x)
        points["fc"] = self.fc(x.mean((2, 3)))
        return points


def frames(size):
    return np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")


@pytest.mark.parametrize("size", SIZES)
def test_torchvision(tmp_path, size):
    reference = randomise(Reference())
    path = save(reference, tmp_path, "zip", "resnet50-0676ba61.pth")
    model, provenance = pretrained(path, image_size=size)
    assert provenance["options"]["version"] == "v1.5"
    pixels = frames(size)
    mean, std = np.asarray([0.485, 0.456, 0.406]), np.asarray([0.229, 0.224, 0.225])
    check(model, pixels, reference_points(reference, (pixels / 255 - mean) / std))


def test_a_torch_file_does_not_load_into_the_other_graph(tmp_path):
    path = save(randomise(Reference()), tmp_path, "zip")
    with pytest.raises(WeightsError, match=r"version='v1.5'"):
        load_weights(resnet50(version="v1", image_size=64), path)


def test_a_model_follows_the_variant_of_the_file(tmp_path):
    path = save(randomise(Reference()), tmp_path, "zip")
    model = soft_attention(
        backbone="resnet50", backbone_weights=path, image_size=64, num_frames=2, num_classes=3
    )
    per_step = model.get_layer("backbone")
    kernel = next(v for v in per_step.weights if v.path.endswith("layer1_0_conv2/kernel"))
    expected = torch.load(path)["layer1.0.conv2.weight"].permute(2, 3, 1, 0).numpy()
    np.testing.assert_array_equal(kernel, expected)


def test_keras_file(tmp_path):
    original = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=CLASSES)
    random, layers = np.random.default_rng(1), {}
    for layer in original.layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            if variable.name == "moving_variance":
                value = random.uniform(0.5, 2, shape)
            elif len(shape) > 1:
                value = random.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape)
            else:
                value = random.normal(1 if variable.name == "gamma" else 0, 0.1, shape)
            variable.assign(value)
            layers.setdefault(layer.name, {})[variable.name] = value.astype("float32")
    model, provenance = pretrained(write_keras_2(tmp_path / "w.h5", layers), image_size=64)
    assert provenance["options"] == {"version": "v1", "num_classes": CLASSES, "image_size": 64}
    pixels = frames((64, 64))
    inputs = pixels[..., ::-1] - np.asarray([103.939, 116.779, 123.68], "float32")
    names = ("conv2_block3_out", "conv5_block3_out")
    points = keras.Model(original.input, [original.get_layer(n).output for n in names])
    check(model, pixels, dict(zip(names, points.predict(inputs, verbose=0))))
    probabilities = original.predict(inputs, verbose=0)
    found = keras.ops.softmax(model.predict(pixels, verbose=0))
    np.testing.assert_allclose(found, probabilities, rtol=1e-4, atol=1e-7)
