"""EfficientNet-Lite against a PyTorch reference in the port's naming, folded too."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

import zoo
from tests.weights.parity.compare import check, randomise, reference_points, save, torch
from zoo.backbones import efficientnet_lite, fold_batch_norm
from zoo.weights import WeightsError, load_weights, pretrained

pytestmark = pytest.mark.slow

CLASSES = 11
# (kernel, stride, expansion, channels, repeats): independently from the paper's table.
STAGES = {
    0: "3 1 1 16 1, 3 2 6 24 2, 5 2 6 40 2, 3 2 6 80 3, 5 1 6 112 3, 5 2 6 192 4, 3 1 6 320 1",
    2: "3 1 1 16 1, 3 2 6 24 3, 5 2 6 48 3, 3 2 6 88 4, 5 1 6 120 4, 5 2 6 208 5, 3 1 6 352 1",
}


def same(x, kernel, stride):
    """TensorFlow's padding: an odd remainder goes to the bottom and the right."""
    pads = []
    for length in (x.shape[3], x.shape[2]):
        total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
        pads += [total // 2, total - total // 2]
    return torch.nn.functional.pad(x, pads)


class Block(torch.nn.Module):
    def __init__(self, before, kernel, stride, expansion, channels):
        super().__init__()
        inner = before * expansion
        self.kernel, self.stride, self.adds = kernel, stride, stride == 1 and before == channels
        if expansion > 1:
            self._expand_conv = torch.nn.Conv2d(before, inner, 1, bias=False)
            self._bn0 = torch.nn.BatchNorm2d(inner, eps=1e-3)
        self._depthwise_conv = torch.nn.Conv2d(
            inner, inner, kernel, stride, groups=inner, bias=False
        )
        self._bn1 = torch.nn.BatchNorm2d(inner, eps=1e-3)
        self._project_conv = torch.nn.Conv2d(inner, channels, 1, bias=False)
        self._bn2 = torch.nn.BatchNorm2d(channels, eps=1e-3)

    def forward(self, x):
        shortcut, relu6 = x, torch.nn.functional.relu6
        if hasattr(self, "_expand_conv"):
            x = relu6(self._bn0(self._expand_conv(x)))
        x = relu6(self._bn1(self._depthwise_conv(same(x, self.kernel, self.stride))))
        x = self._bn2(self._project_conv(x))
        return x + shortcut if self.adds else x


class Reference(torch.nn.Module):
    def __init__(self, variant):
        super().__init__()
        self._conv_stem = torch.nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = torch.nn.BatchNorm2d(32, eps=1e-3)
        blocks, before = [], 32
        for line in STAGES[variant].split(", "):
            kernel, stride, expansion, channels, repeats = map(int, line.split())
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(Block(before, kernel, step, expansion, channels))
                before = channels
        self._blocks = torch.nn.ModuleList(blocks)
        self._conv_head = torch.nn.Conv2d(before, 1280, 1, bias=False)
        self._bn1 = torch.nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = torch.nn.Linear(1280, CLASSES)

    def points(self, x):
        relu6, points = torch.nn.functional.relu6, {}
        x = points["stem"] = relu6(self._bn0(self._conv_stem(same(x, 3, 2))))
        for number, block in enumerate(self._blocks):
            x = points[f"block_{number}"] = block(x)
        points["head"] = relu6(self._bn1(self._conv_head(x)))
        points["fc"] = self._fc(points["head"].mean((2, 3)))
        return points


def frames(size):
    return np.random.default_rng(0).uniform(0, 255, (2, *size, 3)).astype("float32")


@pytest.mark.parametrize(("variant", "size"), [(0, (64, 64)), (0, (75, 97)), (2, (64, 96))])
def test_every_end_point_also_folded(tmp_path, variant, size):
    reference = randomise(Reference(variant))
    path = save(reference, tmp_path, "zip", "efficientnet-lite.pth")
    model, provenance = pretrained(path, image_size=size)
    assert provenance["options"]["variant"] == variant
    assert provenance["origin"] == "efficientnet_lite_pytorch"
    pixels = frames(size)
    expected = reference_points(reference, (pixels - 127) / 128)
    check(model, pixels, expected)
    folded = fold_batch_norm(model)
    assert not any("_bn" in layer.name for layer in folded.layers)
    check(folded, pixels, {k: v for k, v in expected.items() if k not in ("stem",)})
    # The general model takes the variant from the file, too.
    general = zoo.general_saliency(backbone_weights=path)
    backbone = general.get_layer("frame_features").layer.get_layer("backbone")
    ends = {0: ("block_4", "block_10", "block_15"), 2: ("block_6", "block_14", "block_20")}
    check(backbone, pixels, {name: expected[name] for name in ends[variant]})
    assert [x.shape[-1] for x in backbone.outputs] == [expected[n].shape[-1] for n in ends[variant]]


def test_a_wheel_a_cut_network_and_another_variant(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_WEIGHTS", str(tmp_path / "kept"))
    reference = randomise(Reference(0))
    path = save(reference, tmp_path, "legacy", "net.pth")
    with zipfile.ZipFile(tmp_path / "net-0.1-py3-none-any.whl", "w") as wheel:
        wheel.write(path, "net/models/net.pth")
    pixels = frames((64, 64))
    expected = reference_points(reference, (pixels - 127) / 128)
    for batch_norm in (True, False):
        model = efficientnet_lite(
            weights=tmp_path / "net-0.1-py3-none-any.whl",
            image_size=None,
            batch_norm=batch_norm,
            endpoint="block_10",
        )
        check(model, pixels, {k: expected[k] for k in ("block_4", "block_10")})
    with pytest.raises(WeightsError, match=r"missing in the file|other shape"):
        load_weights(efficientnet_lite(variant=1), path)
