"""C3D against a PyTorch reference in the published namings."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.weights.files import write_caffe, write_keras_2
from tests.weights.parity.compare import check, randomise, reference_points, save, torch
from zoo.backbones import c3d
from zoo.weights import load_weights, pretrained

WIDTH, CLASSES = 0.0625, 7
NAMES = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
PLAIN = ("conv1", "conv2", *NAMES[2:])


class Reference(torch.nn.Module):
    """The published graph; `pool5` is Caffe's (ceiling) or the ports' (padded on both sides)."""

    def __init__(self, names=PLAIN, dense=("fc6", "fc7", "fc8"), size=112, pool5="symmetric"):
        super().__init__()
        filters = [max(1, round(n * WIDTH)) for n in (3 / WIDTH, 64, 128, 256, 256)]
        filters += [max(1, round(512 * WIDTH))] * 4
        self.names, self.dense, self.pool5 = names, dense, pool5
        for name, before, after in zip(names, filters, filters[1:]):
            self._set(name, torch.nn.Conv3d(before, after, 3, padding=1))
        side = size // 16 // 2 + 1 if pool5 == "symmetric" else -(-size // 32)
        units = round(4096 * WIDTH)
        sizes = (filters[-1] * side * side, units, units, CLASSES)
        for name, before, after in zip(dense, sizes, sizes[1:]):
            self._set(name, torch.nn.Linear(before, after))

    def _set(self, name, module):
        parent = self
        *path, last = name.split(".")
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, torch.nn.Module())
            parent = getattr(parent, part)
        parent.add_module(last, module)

    def points(self, x):
        relu, pool = torch.relu, torch.nn.functional.max_pool3d
        points = {}
        for index, name in enumerate(self.names):
            x = points[NAMES[index]] = relu(self.get_submodule(name)(x))
            if index == 0:
                x = pool(x, (1, 2, 2))
            elif index in (1, 3, 5):
                x = pool(x, 2)
        if self.pool5 == "symmetric":
            x = pool(x, 2, padding=(0, 1, 1))
        else:
            x = pool(x, 2, ceil_mode=True)
        points["pool5"] = x
        x = x.flatten(1)
        for index, name in enumerate(self.dense):
            x = self.get_submodule(name)(x)
            x = points[f"fc{6 + index}"] = relu(x) if index < 2 else x
        return points


def clips(size):
    return np.random.default_rng(0).uniform(0, 255, (2, 16, size, size, 3)).astype("float32")


def build(size, **options):
    return c3d(image_size=size, width=WIDTH, include_top=True, num_classes=CLASSES, **options)


@pytest.mark.parametrize("form", ["zip", "legacy", "nested"])
def test_pytorch_naming(tmp_path, form):
    reference = randomise(Reference())
    model = build(112, pool5_padding="symmetric", preprocessing="none")
    load_weights(model, save(reference, tmp_path, form, "c3d.pickle"))
    pixels = clips(112)
    check(model, pixels, reference_points(reference, pixels))


@pytest.mark.parametrize("size", [80, 96])
def test_pytorch_naming_at_other_sizes(tmp_path, size):
    reference = randomise(Reference(size=size), 1)
    model = build(size, pool5_padding="symmetric", preprocessing="none")
    load_weights(model, save(reference, tmp_path, "zip"))
    pixels = clips(size)
    check(model, pixels, reference_points(reference, pixels))


@pytest.mark.parametrize(
    ("names", "dense"),
    [
        (
            tuple(f"features.{n}" for n in (0, 3, 6, 8, 11, 13, 16, 18)),
            ("classifier.0", "classifier.3", "classifier.6"),
        ),
        (tuple(f"{name}.conv" for name in NAMES), ("fc6", "fc7", "fc8")),
    ],
)
def test_other_pytorch_namings(tmp_path, names, dense):
    reference = randomise(Reference(names, dense), 2)
    model, provenance = pretrained(save(reference, tmp_path, "legacy"), width=WIDTH)
    assert provenance["options"]["num_classes"] == CLASSES
    pixels = clips(112)
    if names[0].startswith("features"):  # as in the two ports' own data loaders
        inputs = pixels[..., ::-1] - np.asarray([90, 98, 102], "float32")
    else:
        inputs = pixels - np.asarray([104, 117, 128], "float32")
    check(model, pixels, reference_points(reference, inputs))


@pytest.mark.parametrize("size", [80, 96, 112])
@pytest.mark.parametrize("form", ["c3d", "new"])
def test_caffe_naming(tmp_path, size, form):
    reference = randomise(Reference(size=size, pool5="caffe"), 3)
    layers = {}
    for theirs, plain in zip((*NAMES, "fc6-1", "fc7-1", "fc8-1"), (*PLAIN, "fc6", "fc7", "fc8")):
        module = reference.get_submodule(plain)
        layers[theirs] = [module.weight.detach().numpy(), module.bias.detach().numpy()]
    path = write_caffe(tmp_path / "conv3d_deepnetA_sport1m_iter_1900000", layers, form)
    model = build(size)
    load_weights(model, path)
    pixels = clips(size)
    inputs = pixels[..., ::-1] - np.asarray([104, 117, 128], "float32")
    check(model, pixels, reference_points(reference, inputs))


def test_keras_naming(tmp_path):
    reference = randomise(Reference(pool5="caffe"), 4)
    layers = {}
    for plain in (*PLAIN, "fc6", "fc7", "fc8"):
        module = reference.get_submodule(plain)
        kernel = module.weight.detach().numpy()
        if plain.startswith("conv"):
            kernel = kernel.transpose(2, 3, 4, 1, 0)
        elif plain == "fc6":
            rows = [row.reshape(-1, 1, 4, 4).transpose(1, 2, 3, 0).ravel() for row in kernel]
            kernel = np.stack(rows, axis=1)
        else:
            kernel = kernel.T
        layers[plain] = {"kernel": kernel, "bias": module.bias.detach().numpy()}
    path = write_keras_2(tmp_path / "sports1M_weights_tf.h5", layers, whole=True)
    model = build(112, preprocessing="none")
    load_weights(model, path)
    pixels = clips(112) / 255
    check(model, pixels, reference_points(reference, pixels))


@pytest.mark.parametrize("layer", ["fc6", "fc7"])
def test_the_comparison_sees_a_wrong_order(tmp_path, layer):
    reference = randomise(Reference(), 5)
    model = build(112, pool5_padding="symmetric", preprocessing="none")
    load_weights(model, save(reference, tmp_path, "zip"))
    kernel = keras.ops.convert_to_numpy(model.get_layer(layer).kernel)
    if layer == "fc7":  # a missing transpose of a square matrix
        wrong = kernel.T
    else:  # channels first where they are last
        wrong = kernel.reshape(4, 4, -1, kernel.shape[1]).transpose(2, 0, 1, 3)
    model.get_layer(layer).kernel.assign(wrong.reshape(kernel.shape))
    pixels = clips(112)
    with pytest.raises(AssertionError, match=layer):
        points = reference_points(reference, pixels)
        check(model, pixels, {layer: points[layer]})
