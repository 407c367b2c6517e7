"""Which frames a cached clip contains: in this test, features are the frames themselves."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video
from zoo.datasets import Features, Saliency, Samples
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.samples.sampling import Windows
from zoo.datasets.shards.features import FeatureStore
from zoo.training.backbone_features import BackboneFeatures

CLIP, TOTAL, SIZE = 4, 12, (16, 64)


@pytest.mark.parametrize("hop", [1, 3])
@pytest.mark.parametrize("target", ["last", "centre"])
def test_a_clips_frames(tmp_path, target, hop):
    clip = keras.Input((CLIP, *SIZE, 3), name="rgb")
    extractor = keras.Model(clip, keras.layers.AveragePooling3D(1)(clip))  # the frames as they are
    numbered_video(tmp_path / "a.mp4", TOTAL)
    rows = "".join(f"1,{frame},{frame}.5,5\n" for frame in range(TOTAL))
    (tmp_path / "a.csv").write_text("viewer,frame,x,y\n" + rows)
    gaze = GazeSource((str(tmp_path / "a.csv"),))
    record = Record("a", str(tmp_path / "a.mp4"), "train", 0, gaze)
    store = FeatureStore(tmp_path / "cache", BackboneFeatures(extractor, clip_length=CLIP, hop=hop))
    store.compute([record])
    samples = Samples(
        [record],
        Windows(1),
        inputs=[Features(store, target=target, single=True)],
        targets=[Saliency((8, 8))],
        per_video=None,
    )
    found = {}
    for number in range(len(samples)):
        inputs, _, _ = samples.in_order(number)
        (frame,) = samples.frames(0, samples.places[number].steps).tolist()
        found[frame] = [number_of(np.asarray(held)) for held in inputs["features"]]
    first = CLIP - 1 if target == "last" else CLIP // 2
    begins = range(0, TOTAL - CLIP + 1, hop)
    assert found == {begin + first: list(range(begin, begin + CLIP)) for begin in begins}
