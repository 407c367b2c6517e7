"""GoogLeNet against PyTorch references of torchvision's and BVLC's graphs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.weights.files import write_caffe
from tests.weights.parity.compare import check, randomise, reference_points, save, torch
from zoo.backbones.googlenet import BLOCKS
from zoo.weights import pretrained

pytestmark = pytest.mark.slow

CLASSES = 9
SIZES = [(64, 64), (75, 97)]
BVLC = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
TORCHVISION = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")


class Unit(torch.nn.Module):
    def __init__(self, before, after, size, stride=1, bn=True):
        super().__init__()
        self.conv = torch.nn.Conv2d(before, after, size, stride, size // 2, bias=not bn)
        if bn:
            self.bn = torch.nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x):
        x = self.conv(x)
        return torch.relu(self.bn(x) if hasattr(self, "bn") else x)


class Reference(torch.nn.Module):
    def __init__(self, bn):
        super().__init__()
        self.with_bn = bn
        self.conv1 = Unit(3, 64, 7, 2, bn)
        self.conv2, self.conv3 = Unit(64, 64, 1, 1, bn), Unit(64, 192, 3, 1, bn)
        width = 192
        for name, (one, reduce3, three, reduce5, five, projection) in BLOCKS.items():
            block = torch.nn.Module()
            size5 = 3 if bn else 5
            block.branch1 = Unit(width, one, 1, 1, bn)
            block.branch2 = torch.nn.Sequential(
                Unit(width, reduce3, 1, 1, bn), Unit(reduce3, three, 3, 1, bn)
            )
            block.branch3 = torch.nn.Sequential(
                Unit(width, reduce5, 1, 1, bn), Unit(reduce5, five, size5, 1, bn)
            )
            block.branch4 = torch.nn.Sequential(
                torch.nn.MaxPool2d(3, 1, 1, ceil_mode=True), Unit(width, projection, 1, 1, bn)
            )
            self.add_module(f"inception{name}", block)
            width = one + three + five + projection
        self.fc = torch.nn.Linear(width, CLASSES)
        if bn:  # present in the published file, used only in training
            self.aux1 = torch.nn.Linear(3, 2)

    def points(self, x):
        pool = torch.nn.functional.max_pool2d

        def norm(x):
            if self.with_bn:
                return x
            return torch.nn.functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

        points = {}
        x = points["conv1"] = self.conv1(x)
        x = norm(pool(x, 3, 2, ceil_mode=True))
        x = points["conv3"] = self.conv3(self.conv2(x))
        x = pool(norm(x), 3, 2, ceil_mode=True)
        for name in BLOCKS:
            if name == "4a":
                x = pool(x, 3, 2, ceil_mode=True)
            if name == "5a":
                x = pool(x, 2 if self.with_bn else 3, 2, ceil_mode=True)
            block = self.get_submodule(f"inception{name}")
            branches = [block.branch1, block.branch2, block.branch3, block.branch4]
            x = points[f"inception{name}"] = torch.cat([branch(x) for branch in branches], 1)
        points["fc" if self.with_bn else "loss3_classifier"] = self.fc(x.mean((2, 3)))
        return points


@pytest.fixture(scope="module")
def frames():
    random = np.random.default_rng(0)
    return {size: random.uniform(0, 255, (2, *size, 3)).astype("float32") for size in SIZES}


@pytest.mark.parametrize("size", SIZES)
def test_torchvision(tmp_path, frames, size):
    reference = randomise(Reference(bn=True))
    path = save(reference, tmp_path, "zip", "googlenet-1378be20.pth")
    model, provenance = pretrained(path, image_size=size)
    assert [line for line in provenance["left_out"] if "aux1" in line]
    pixels = frames[size]
    check(model, pixels, reference_points(reference, pixels / 127.5 - 1))


@pytest.mark.parametrize("size", SIZES)
def test_bvlc(tmp_path, frames, size):
    reference = randomise(Reference(bn=False), 1)
    names = {"conv1": "conv1/7x7_s2", "conv2": "conv2/3x3_reduce", "conv3": "conv2/3x3"}
    for block in BLOCKS:
        for ours, theirs in zip(TORCHVISION, BVLC):
            names[f"inception{block}.{ours}"] = f"inception_{block}/{theirs}"
    layers = {}
    for name, theirs in names.items():
        conv = reference.get_submodule(name).conv
        layers[theirs] = [conv.weight.detach().numpy(), conv.bias.detach().numpy()]
    fc = reference.fc
    layers["loss3/classifier"] = [fc.weight.detach().numpy(), fc.bias.detach().numpy()]
    layers["loss1/fc"] = [np.ones((2, 3)), np.ones(2)]
    path = write_caffe(tmp_path / "bvlc_googlenet.caffemodel", layers, "v1")
    model, provenance = pretrained(path, image_size=size)
    assert provenance["options"]["batch_norm"] is False
    assert len(provenance["left_out"]) == 2
    pixels = frames[size]
    mean = np.asarray(model.get_layer("preprocessing").mean, "float32")
    assert tuple(np.round(mean)) == (104, 117, 123)
    check(model, pixels, reference_points(reference, pixels[..., ::-1] - mean))
