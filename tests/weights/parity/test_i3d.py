"""I3D against PyTorch references of both ports, and in DeepMind's and the Keras naming."""

from __future__ import annotations

import numpy as np
import pytest

from tests.weights.files import write_keras_2
from tests.weights.parity.compare import check, randomise, reference_points, save, torch
from zoo.backbones import i3d
from zoo.backbones.i3d import MIXED
from zoo.weights import load_weights, pretrained

pytestmark = pytest.mark.slow

WIDTH, CLASSES = 0.125, 6
STEPS = (
    ("Conv3d_1a_7x7", "conv", (3, 64, 7, 2)),
    ("MaxPool3d_2a_3x3", "pool", ((1, 3, 3), (1, 2, 2))),
    ("Conv3d_2b_1x1", "conv", (64, 64, 1, 1)),
    ("Conv3d_2c_3x3", "conv", (64, 192, 3, 1)),
    ("MaxPool3d_3a_3x3", "pool", ((1, 3, 3), (1, 2, 2))),
    ("Mixed_3b", "mixed", None),
    ("Mixed_3c", "mixed", None),
    ("MaxPool3d_4a_3x3", "pool", ((3, 3, 3), (2, 2, 2))),
    *((f"Mixed_4{block}", "mixed", None) for block in "bcdef"),
    ("MaxPool3d_5a_2x2", "pool", ((2, 2, 2), (2, 2, 2))),
    ("Mixed_5b", "mixed", None),
    ("Mixed_5c", "mixed", None),
)
# Names of a mixed block's units in the two ports.
# "hassony2" is kinetics_i3d_pytorch since April 2019, "static" the copy that LSTS used.
SECOND = ("branch_0", "branch_1.0", "branch_1.1", "branch_2.0", "branch_2.1", "branch_3.1")
PORTS = {
    "same": ("b0", "b1a", "b1b", "b2a", "b2b", "b3b"),
    "static": SECOND,
    "hassony2": SECOND,
}
PUBLISHED = (
    "Branch_0/Conv3d_0a_1x1",
    "Branch_1/Conv3d_0a_1x1",
    "Branch_1/Conv3d_0b_3x3",
    "Branch_2/Conv3d_0a_1x1",
    "Branch_2/Conv3d_0b_3x3",
    "Branch_3/Conv3d_0b_1x1",
)
KERAS = ("0a_1x1", "1a_1x1", "1b_3x3", "2a_1x1", "2b_3x3", "3b_1x1")


def scaled(channels):
    return max(1, round(channels * WIDTH))


class Unit(torch.nn.Module):
    def __init__(self, before, after, size, stride, padding):
        super().__init__()
        self.size, self.stride, self.padding = (size,) * 3, (stride,) * 3, padding
        self.conv3d = torch.nn.Conv3d(before, after, size, stride, bias=False)
        norm = torch.nn.BatchNorm3d(after, eps=1e-5 if padding == "static" else 1e-3)
        self.add_module("bn" if padding == "same" else "batch3d", norm)
        self.norm = (norm,)  # in a tuple, so that it is not registered twice

    def forward(self, x):
        size, rest = self.size, x.shape[2] % self.stride[0]
        if self.padding == "hassony2" and rest:  # one more zero where an odd length is halved
            size = (size[0] + self.stride[0] - rest, *size[1:])
        x = pad(x, size, self.stride, self.padding)
        return torch.relu(self.norm[0](self.conv3d(x)))


def pad(x, size, stride, padding):
    widths = []
    for length, k, s in zip(x.shape[2:], size, stride):
        if padding != "same" or length % s == 0:
            total = max(k - s, 0)
        else:
            total = max(k - length % s, 0)
        widths = [total // 2, total - total // 2, *widths]
    return torch.nn.functional.pad(x, widths)


def pool(x, size, stride, padding):
    x = pad(x, size, stride, padding)
    return torch.nn.functional.max_pool3d(x, size, stride, ceil_mode=padding != "same")


class Reference(torch.nn.Module):
    def __init__(self, channels=3, padding="same"):
        super().__init__()
        self.padding = padding
        width = channels
        for name, kind, arguments in STEPS:
            if kind == "conv":
                _, after, size, stride = arguments
                self._set(name, Unit(width, scaled(after), size, stride, padding))
                width = scaled(after)
            elif kind == "mixed":
                b0, b1a, b1b, b2a, b2b, b3 = map(scaled, MIXED[name])
                sizes = ((width, b0, 1), (width, b1a, 1), (b1a, b1b, 3), (width, b2a, 1))
                sizes += ((b2a, b2b, 3), (width, b3, 1))
                for part, (before, after, size) in zip(PORTS[padding], sizes):
                    self._set(f"{name}.{part}", Unit(before, after, size, 1, padding))
                width = b0 + b1b + b2b + b3
        self._set("logits" if padding == "same" else "conv3d_0c_1x1", torch.nn.Module())
        self.head().add_module("conv3d", torch.nn.Conv3d(width, CLASSES, 1))

    def name(self, name):
        return name if self.padding == "same" else name.lower()

    def head(self):
        return self.get_submodule("logits" if self.padding == "same" else "conv3d_0c_1x1")

    def _set(self, name, module):
        parent = self
        *path, last = self.name(name).split(".")
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, torch.nn.Module())
            parent = parent._modules[part]
        parent.add_module(last, module)

    def unit(self, name):
        return self.get_submodule(self.name(name))

    def points(self, x):
        points = {}
        for name, kind, arguments in STEPS:
            if kind == "conv":
                x = self.unit(name)(x)
            elif kind == "pool":
                x = pool(x, *arguments, self.padding)
            else:
                b0, b1a, b1b, b2a, b2b, b3 = (self.unit(f"{name}.{p}") for p in PORTS[self.padding])
                pooled = pool(x, (3, 3, 3), (1, 1, 1), self.padding)
                x = torch.cat([b0(x), b1b(b1a(x)), b2b(b2a(x)), b3(pooled)], 1)
            points[name] = x
        x = torch.nn.functional.avg_pool3d(x, (min(2, x.shape[2]), *x.shape[3:]), 1)
        points["Logits"] = self.head().conv3d(x).mean((2, 3, 4))
        return points


def pixels_of(frames, size, channels=3):
    random = np.random.default_rng(frames)
    low, high = (0, 255) if channels == 3 else (-20, 20)
    return random.uniform(low, high, (1, frames, *size, channels)).astype("float32")


def scaled_input(pixels):
    return pixels / 127.5 - 1 if pixels.shape[-1] == 3 else pixels / 20


SIZES = [(16, (64, 64)), (15, (65, 79)), (9, (71, 64))]


OPTIONS = {
    "same": {"padding": "same"},
    "static": {"padding": "static", "bn_epsilon": 1e-5},  # not determined by the file
    "hassony2": {"padding": "static_same_time"},
}


@pytest.mark.filterwarnings("ignore:The weights")
@pytest.mark.parametrize("padding", ["same", "static", "hassony2"])
@pytest.mark.parametrize(("frames", "size"), [*SIZES, (17, (64, 64))])
def test_ports_at_even_and_odd_sizes(tmp_path, padding, frames, size):
    reference = randomise(Reference(padding=padding))
    path = save(reference, tmp_path, "legacy" if frames == 16 else "nested")
    given = OPTIONS[padding] if padding == "static" else {}
    length = None if frames == 17 else frames  # also if time is known only at run time
    model, provenance = pretrained(path, width=WIDTH, num_frames=length, image_size=size, **given)
    assert provenance["options"]["padding"] == OPTIONS[padding]["padding"]
    pixels = pixels_of(frames, size)
    check(model, pixels, reference_points(reference, scaled_input(pixels)))


def test_flow_is_recognised_by_its_two_channels(tmp_path):
    reference = randomise(Reference(channels=2), 1)
    model, provenance = pretrained(save(reference, tmp_path, "zip"), width=WIDTH, image_size=64)
    assert provenance["options"]["stream"] == "flow"
    pixels = pixels_of(16, (64, 64), 2)
    check(model, pixels, reference_points(reference, scaled_input(pixels)))


def published(reference):
    """(published name, Keras name, unit) of every unit but the head."""
    for name, kind, _ in STEPS:
        if kind == "conv":
            yield name, name, reference.unit(name)
        elif kind == "mixed":
            for part, theirs, keras in zip(PORTS["same"], PUBLISHED, KERAS):
                if name == "Mixed_5b" and theirs.endswith("2/Conv3d_0b_3x3"):
                    theirs = "Branch_2/Conv3d_0a_3x3"
                unit = reference.unit(f"{name}.{part}")
                yield f"{name}/{theirs}", f"Conv3d_{name[-2:]}_{keras}", unit


def without_gamma(seed):
    reference = randomise(Reference(), seed)
    for module in reference.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.ones_(module.weight)
    return reference


@pytest.mark.parametrize("form", ["RGB/inception_i3d/", "kinetics-600"])
@pytest.mark.parametrize("gamma", [False, True])
def test_deepmind_naming(tmp_path, form, gamma):
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    reference = without_gamma(2)
    prefix, wide = ("", True) if form == "kinetics-600" else (form, False)
    tensors = {}
    for name, _, unit in published(reference):
        tensors[f"{name}/conv_3d/w"] = unit.conv3d.weight.permute(2, 3, 4, 1, 0)
        norm = unit.norm[0]
        for key, value in (
            ("beta", norm.bias),
            ("moving_mean", norm.running_mean),
            ("moving_variance", norm.running_var),
        ):
            tensors[f"{name}/batch_norm/{key}"] = value.reshape(1, 1, 1, 1, -1) if wide else value
    head = reference.head().conv3d
    tensors["Logits/Conv3d_0c_1x1/conv_3d/w"] = head.weight.permute(2, 3, 4, 1, 0)
    tensors["Logits/Conv3d_0c_1x1/conv_3d/b"] = head.bias
    tensors = {prefix + name: value.detach().numpy() for name, value in tensors.items()}
    if wide:
        tensors.update({f"{k}/Momentum": v * 0 for k, v in tensors.items() if k.endswith("/w")})
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {
            name: tf.compat.v1.get_variable(name, initializer=tf.constant(np.ascontiguousarray(v)))
            for name, v in tensors.items()
        }
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(variables)
        saver.save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False)
    frames, size = SIZES[1] if wide else SIZES[0]
    model, provenance = pretrained(
        tmp_path / "model.ckpt", width=WIDTH, image_size=size, num_frames=frames, bn_scale=gamma
    )
    assert provenance["origin"] == "i3d_tensorflow"
    assert len(provenance["set_to_one"]) == (57 if gamma else 0)
    pixels = pixels_of(frames, size)
    check(model, pixels, reference_points(reference, scaled_input(pixels)))


def test_keras_naming(tmp_path):
    reference = without_gamma(3)
    layers = {}
    for _, name, unit in published(reference):
        kernel = unit.conv3d.weight.permute(2, 3, 4, 1, 0)
        norm = unit.norm[0]
        values = {
            "beta": norm.bias,
            "moving_mean": norm.running_mean,
            "moving_variance": norm.running_var,
        }
        layers[f"{name}_conv"] = {"kernel": kernel.detach().numpy()}
        layers[f"{name}_bn"] = {key: value.detach().numpy() for key, value in values.items()}
    head = reference.head().conv3d
    layers["Conv3d_6a_1x1_conv"] = {
        "kernel": head.weight.permute(2, 3, 4, 1, 0).detach().numpy(),
        "bias": head.bias.detach().numpy(),
    }
    model = i3d(width=WIDTH, image_size=64, endpoint="Logits", num_classes=CLASSES)
    load_weights(model, write_keras_2(tmp_path / "rgb_inception.h5", layers))
    pixels = pixels_of(16, (64, 64))
    check(model, pixels, reference_points(reference, scaled_input(pixels)))
