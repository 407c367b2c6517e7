from __future__ import annotations

import dataclasses
import os

import keras
import numpy as np
import pytest

from zoo.backbones.c3d import c3d
from zoo.datasets.record import Record
from zoo.training.backbone_features import BackboneFeatures
from zoo.training.digests import fingerprint, video_key

FRAMES = np.random.default_rng(0).integers(0, 255, (150, 16, 16, 3)).astype("uint8")


def backbone(dense=False, seed=0):
    keras.utils.set_random_seed(seed)
    return c3d(image_size=16, width=0.03, endpoint="conv5b", dense=dense)


def rows(features: BackboneFeatures, frames: np.ndarray) -> np.ndarray:
    found = b"".join(features.rows(iter(frames), len(frames)))
    return np.frombuffer(found, np.float16).reshape(-1, *features.describe()["shape"])


@pytest.mark.parametrize("first, hop", [(0, 1), (1, 3)])
def test_features_of_clips(first, hop):
    model = backbone()
    features = BackboneFeatures(model, clip_length=16, first=first, hop=hop, batch_size=3)
    found = rows(features, FRAMES[:23])
    clips = np.stack([FRAMES[s : s + 16] for s in range(first, 8, hop)])
    np.testing.assert_allclose(found, model.predict(clips, verbose=0), rtol=2e-3, atol=1e-3)
    assert len(rows(features, FRAMES[: 15 + first])) == 0  # shorter than a clip


def test_dense_features_do_not_show_the_chunks():
    model = backbone(dense=True)
    found = rows(BackboneFeatures(model, dense=True), FRAMES)
    whole = model.predict(FRAMES[None], verbose=0)[0]
    assert np.std(whole) > 0
    np.testing.assert_allclose(found, whole, rtol=2e-3, atol=1e-3)


def test_other_weights_or_settings_have_another_description():
    told = [
        BackboneFeatures(backbone()).describe(),
        BackboneFeatures(backbone(), settings={"size": 32}).describe(),
        BackboneFeatures(backbone(seed=1)).describe(),
        BackboneFeatures(backbone(dense=True), dense=True).describe(),
    ]
    assert all(one != other for n, one in enumerate(told) for other in told[:n])
    assert BackboneFeatures(backbone()).describe() == told[0]


def test_features_depend_on_layers_without_weights_but_not_on_names():
    def made(scale, name=None):
        keras.utils.set_random_seed(0)
        frame = keras.Input((4, 4, 3), name=name)
        x = keras.layers.Rescaling(scale, name=name and f"{name}_scaled")(frame)
        x = keras.layers.Conv2D(2, 3, name=name and f"{name}_layer")(x)
        return keras.Model(frame, x)

    assert fingerprint(made(1 / 255)) != fingerprint(made(1 / 127.5))
    assert fingerprint(made(1 / 255)) == fingerprint(made(1 / 255, "other"))


def test_the_key_follows_the_file(tmp_path):
    path = tmp_path / "a.avi"
    path.write_bytes(b"one")
    record = Record(name="a", video=str(path))
    first = video_key(record)
    assert video_key(record) == first
    assert video_key(dataclasses.replace(record, start=1.0)) != first
    path.write_bytes(b"another")
    assert video_key(record) != first
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"1")
    whole = video_key(Record(name="b", video=str(folder)))
    (folder / "2.png").write_bytes(b"2")
    assert video_key(Record(name="b", video=str(folder))) != whole
    os.utime(path)
