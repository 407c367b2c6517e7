"""The RMDN and joint recipes with `--weights general`, on synthetic videos."""

import keras
import numpy as np
import pytest

import zoo
from zoo.datasets import moving_targets
from zoo.inference.streaming.stream import Stream
from zoo.layers import mixture_map
from zoo.models.general_features import general_features
from zoo.recipes import joint, rmdn
from zoo.training.backbone_features import BackboneFeatures
from zoo.training.layer_weights import backbone_of

SIZE = (64, 96)
TINY = {
    "dataset": "moving_targets",
    "weights": "general",
    "image_size": SIZE,
    "units": 4,
    "window": 12,
    "batch_size": 2,
    "epochs": 1,
    "score_every": 9,
    "tensorboard": False,
    "evaluate": False,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "moving_targets"
    moving_targets.make(root, num_videos=5, frames=20, size=(48, 64), viewers=3)
    return str(root)


def test_before_training_it_equals_the_general_model():
    config = rmdn.Config(**TINY)
    model = rmdn.build(config)
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, *SIZE, 3)).astype("float32")
    mixture = model.predict(frames, verbose=0)["mixture"]
    assert mixture.shape == (1, 3, 24, 6)
    general = zoo.general_saliency(weights="general", motion=0, centre=0, memory=1)
    density = np.exp(general.predict(frames, verbose=0)["log_density"])
    places = density.reshape(1, 3, 4, 4, 6, 4).sum((3, 5)).reshape(1, 3, 24)
    weights = np.exp(mixture[..., 0])
    np.testing.assert_allclose(weights / weights.sum(-1, keepdims=True), places, atol=1e-4)
    drawn = keras.ops.convert_to_numpy(mixture_map(mixture, *density.shape[2:]))
    assert np.corrcoef(drawn.ravel(), density.ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_rmdn_reads_each_frame_once(data, tmp_path, monkeypatch):
    seen, apply = [], BackboneFeatures._apply

    def counted(self, batch):
        seen.append(len(batch))
        return apply(self, batch)

    monkeypatch.setattr(BackboneFeatures, "_apply", counted)
    results = rmdn.main(rmdn.Config(data_dir=data, output=str(tmp_path), **TINY))
    records = [r for r in moving_targets.load(data) if r.split != "test"]
    assert sum(seen) == 20 * len(records)
    assert np.isfinite(results["validation"]["nss"])
    # The model trained on features predicts the same from frames, also as a stream.
    model = zoo.load(tmp_path / "model.keras", verbose=False)
    trained = zoo.load(tmp_path / "best.keras", verbose=False)
    video = np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3)).astype("uint8")
    features = backbone_of(model).predict(video.astype("float32"), verbose=0)
    found = trained.predict(features[None], verbose=0)["mixture"]
    whole = model.predict(video[None].astype("float32"), verbose=0)["mixture"]
    np.testing.assert_allclose(whole, found, atol=1e-3)
    stream = Stream(model)
    parts = [stream.push(video[:2]), stream.push(video[2:]), stream.finish()]
    streamed = np.concatenate([part["mixture"] for part in parts if part])
    np.testing.assert_allclose(streamed, whole[0], atol=1e-3)


@pytest.mark.slow
def test_joint(data, tmp_path):
    results = joint.main(joint.Config(data_dir=data, output=str(tmp_path), **TINY))
    assert np.isfinite(results["validation"]["nss"])


def test_bad_options(data):
    for wrong, message in (
        ({"backbone_weights": "C3D"}, "brings a backbone"),
        ({"image_size": (60, 96)}, "multiples of 16"),
    ):
        with pytest.raises(ValueError, match=message):
            rmdn.main(rmdn.Config(data_dir=data, **{**TINY, **wrong}))
    with pytest.raises(ValueError, match="multiple of 16"):
        general_features(image_size=(64, 100))
    with pytest.raises(ValueError, match="`prior` needs `local`"):
        zoo.rmdn(backbone="general_saliency", image_size=64, prior=True)
