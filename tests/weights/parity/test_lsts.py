"""LSTS's decoder, loaded from its checkpoint, against a PyTorch reference of the authors' graph."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from tests.weights.parity.compare import randomise, save, torch
from zoo.models.lsts import lsts
from zoo.models.lsts_head import STAGES
from zoo.weights import WeightsError

pytestmark = pytest.mark.slow

WIDTH = 1 / 16
CHANNELS = [max(min(published, 8), round(published * WIDTH)) for _, _, published in STAGES]
FUSED = round(512 * WIDTH)


class Decoder(torch.nn.Module):
    """Fusing convolution, transposed convolutions with ReLU and normalisation, 1x1, sigmoid."""

    def __init__(self, channels: int):
        super().__init__()
        self.fuse_conv = torch.nn.Conv3d(channels, FUSED, (5, 1, 1))
        self.fuse_bn = torch.nn.BatchNorm3d(FUSED)
        before = FUSED
        for number, ((kernel, stride, _), after) in enumerate(zip(STAGES, CHANNELS), start=1):
            pads = tuple(int(side > 1) for side in kernel)
            layer = torch.nn.ConvTranspose2d(before, after, kernel, stride, pads, pads)
            self.add_module(f"deconv{number}", layer)
            self.add_module(f"bn{number}", torch.nn.BatchNorm2d(after))
            before = after
        self.classifier = torch.nn.Conv2d(before, 1, 1)

    def forward(self, x):
        x = torch.relu(self.fuse_bn(self.fuse_conv(x)))[:, :, 0]
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"bn{number}")(
                torch.relu(self.get_submodule(f"deconv{number}")(x))
            )
        return torch.sigmoid(self.classifier(x))[:, 0]


def reference_map(reference, features):
    with torch.no_grad():
        return reference(torch.from_numpy(np.moveaxis(features, -1, 1).copy())).numpy()


@pytest.mark.parametrize(
    ("streams", "form"), [("rgb", "zip"), ("both", "legacy"), ("rgb", "nested")]
)
def test_the_decoders_checkpoint(tmp_path, streams, form):
    channels = 64 * (1 + (streams == "both"))
    reference = randomise(Decoder(channels), 3)
    path = save(reference, tmp_path, form)
    shape = (5, 5, 5, channels)
    model = lsts(streams=streams, backbone=None, feature_shape=shape, width=WIDTH, weights=path)
    features = np.random.default_rng(0).uniform(0, 1, (2, *shape)).astype("float32")
    found = keras.ops.convert_to_numpy(model(features)["saliency"])
    wanted = reference_map(reference, features)
    assert found.shape == wanted.shape == (2, 360, 640)
    assert wanted.std() > 0.01
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_backbone_keeps_its_weights(tmp_path):
    options = {"num_frames": 79, "image_size": 32, "width": WIDTH}
    model = zoo.lsts(**options)
    features = model.get_layer("rgb_features")
    shape = features.output_shape[1:]
    reference = randomise(Decoder(shape[-1]), 4)
    before = [keras.ops.convert_to_numpy(v) for v in features.weights]
    loaded = zoo.lsts(**options, weights=save(reference, tmp_path, "zip"))
    for variable, value in zip(loaded.get_layer("rgb_features").weights, before):
        assert variable.shape == value.shape
    kernel = reference.deconv3.weight.detach().numpy()
    found = {v.path: v for v in loaded.weights}["stage_3_convolution/kernel"]
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), kernel.transpose(2, 3, 1, 0))


def test_mismatches_are_reported(tmp_path):
    reference = randomise(Decoder(64), 5)
    path = save(reference, tmp_path, "zip")
    features = {"backbone": None, "feature_shape": (5, 5, 5, 64), "width": WIDTH}
    with pytest.raises(WeightsError, match='variant="released"'):
        lsts(**features, variant="printed", weights=path)
    with pytest.raises(WeightsError, match="other shape"):
        lsts(**{**features, "width": 1 / 8}, weights=path)
    state = {name.replace("bn3", "bn9"): value for name, value in reference.state_dict().items()}
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="numbered 1 to 7"):
        lsts(**features, weights=tmp_path / "w.pth")
