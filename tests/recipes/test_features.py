from __future__ import annotations

import dataclasses
import os

import keras
import numpy as np
import pytest

from zoo.backbones.c3d import c3d
from zoo.datasets.record import Record
from zoo.training.features import FeatureCache, video_key

FRAMES = np.random.default_rng(0).integers(0, 255, (150, 16, 16, 3)).astype("uint8")


def backbone(dense=False, seed=0):
    keras.utils.set_random_seed(seed)
    return c3d(image_size=16, width=0.03, endpoint="conv5b", dense=dense)


def test_features_of_clips_are_kept(tmp_path):
    model = backbone()
    cache = FeatureCache(tmp_path, model, {"a": 1}, batch_size=3)
    found = cache.get("video", FRAMES[:23])
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float16
    assert found.shape == (8, *model.output_shape[1:])
    clips = np.stack([FRAMES[s : s + 16] for s in range(8)])
    np.testing.assert_allclose(found, model.predict(clips, verbose=0), rtol=2e-3, atol=1e-3)
    cache.backbone = None  # the second time nothing is computed
    np.testing.assert_array_equal(cache.get("video", None), found)


def test_dense_features_do_not_show_the_chunks(tmp_path):
    model = backbone(dense=True)
    found = FeatureCache(tmp_path, model, {}, dense=True).get("video", FRAMES)
    whole = model.predict(FRAMES[None], verbose=0)[0]
    assert np.std(whole) > 0
    np.testing.assert_allclose(found, whole, rtol=2e-3, atol=1e-3)


def test_other_weights_or_settings_have_other_features(tmp_path):
    folders = {
        FeatureCache(tmp_path, backbone(), {"size": 16}).folder,
        FeatureCache(tmp_path, backbone(), {"size": 32}).folder,
        FeatureCache(tmp_path, backbone(seed=1), {"size": 16}).folder,
        FeatureCache(tmp_path, backbone(dense=True), {"size": 16}, dense=True).folder,
    }
    assert len(folders) == 4
    assert FeatureCache(tmp_path, backbone(), {"size": 16}).folder in folders


def test_a_kill_while_writing_leaves_no_features(tmp_path):
    cache = FeatureCache(tmp_path, backbone(), {})

    def killed(clips):
        raise KeyboardInterrupt

    cache._apply = killed
    with pytest.raises(KeyboardInterrupt):
        cache.get("video", FRAMES[:20])
    assert not list(cache.folder.iterdir())


def test_a_video_shorter_than_a_clip(tmp_path):
    with pytest.raises(ValueError, match=r"at least 16 frames\. Received: 15 frames"):
        FeatureCache(tmp_path, backbone(), {}).get("video", FRAMES[:15])


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
