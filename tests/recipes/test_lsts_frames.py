"""Which frames a cached clip of LSTS holds, told by features that are the frames' own numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.training.lsts_clips import ClipFeatures
from zoo.training.windows import Source

FRAMES, TOTAL = 4, 12


@pytest.fixture
def extractor():
    """Gives the mean of each frame."""
    clip = keras.Input((FRAMES, 2, 3, 3), name="rgb")
    x = keras.layers.AveragePooling3D((1, 2, 3))(clip)
    x = keras.layers.Reshape((FRAMES, 3))(x)
    x = keras.layers.Reshape((FRAMES,))(keras.layers.Dense(1, use_bias=False, name="mean")(x))
    model = keras.Model(clip, x)
    model.get_layer("mean").kernel.assign(np.full((3, 1), 1 / 3))
    return model


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("last", {3: [0, 1, 2, 3], 7: [4, 5, 6, 7], 11: [8, 9, 10, 11], 1: [0, 0, 0, 1]}),
        ("centre", {3: [1, 2, 3, 4], 9: [7, 8, 9, 10], 11: [9, 10, 11, 11]}),
    ],
)
def test_a_clips_frames(tmp_path, extractor, target, wanted):
    frames = np.arange(TOTAL, dtype="uint8")[:, None, None, None] * np.ones((1, 2, 3, 3), "uint8")
    source = Source("a", frames, np.zeros((TOTAL, 1, 2)), key="a")
    features = ClipFeatures(tmp_path, extractor, {}, batch_size=2)
    for _ in range(2):  # computed, then from the cache
        found = features.get(source, np.array(list(wanted)), target)
        np.testing.assert_allclose(found, list(wanted.values()), atol=0.01)
