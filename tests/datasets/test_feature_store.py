from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.datasets.test_samples import SIZE, numbers_of, records, shown
from zoo.datasets import Action, Features, Frames, Mixture, Samples, Windows
from zoo.datasets.record import Record
from zoo.datasets.shards.features import FeatureStore, JoinedFeatures
from zoo.datasets.shards.format import ShardError
from zoo.datasets.video.reading import VideoError, open_video

__all__ = ["records"]


class Numbers:
    """A stream whose row for a clip holds the numbers of its first and last frame."""

    name, size = "features", SIZE

    def __init__(self, clip=16, hop=1, first=0, digest="a"):
        self.clip, self.hop, self.first, self.digest = clip, hop, first, digest
        self.calls = 0

    def describe(self):
        about = {"dtype": "float16", "shape": [3], "hop": self.hop, "clip_length": self.clip}
        return {**about, "first": self.first, "dense": False, "digest": self.digest}

    def rows(self, frames, total):
        self.calls += 1
        shown_frames = numbers_of(list(frames))
        for start in range(self.first, total - self.clip + 1, self.hop):
            row = [shown_frames[start], shown_frames[start + self.clip - 1], 0.1]
            yield np.array(row, np.float16).tobytes()


def test_features_are_computed_once_and_belong_to_their_gaze(records, tmp_path):
    """Detects a shift by one frame: features and gaze both contain the frame's number."""
    stream = Numbers()
    store = FeatureStore(tmp_path, stream)
    store.compute(records)
    assert stream.calls == 3 and all(store.complete(record) for record in records)
    FeatureStore(tmp_path, stream).compute(records)
    assert stream.calls == 3
    for target, place in (("last", 15), ("centre", 8)):
        inputs = [Features(store, target=target)]
        samples = Samples(records, Windows(5), inputs=inputs, targets=[Mixture(1)], per_video=5)
        for number in range(15):
            given, targets, _ = samples.draw(number)
            features = given["features"]
            assert features.dtype == np.float16 and features.shape == (5, 3)
            np.testing.assert_array_equal(features[:, 1] - features[:, 0], 15)
            np.testing.assert_array_equal(shown(targets["mixture"])[:, 0], features[:, 0] + place)


@pytest.mark.parametrize(("hop", "first"), [(3, 0), (4, 1)])
def test_features_at_a_hop(records, tmp_path, hop, first):
    store = FeatureStore(tmp_path, Numbers(clip=8, hop=hop, first=first))
    store.compute(records)
    assert len(store.rows(records[0])) == len(range(first, 33, hop))
    samples = Samples(
        records,
        Windows(1),
        inputs=[Features(store, single=True)],
        targets=[Mixture(1)],
        per_video=None,
    )
    assert len(samples) == sum(len(range(first, n - 7, hop)) for n in (40, 25, 60))
    for number in range(len(samples)):
        inputs, targets, _ = samples.draw(number)
        assert inputs["features"].shape == (3,)
        assert shown(targets["mixture"])[0, 0] == inputs["features"][1]


def test_features_in_memory_are_read_once(records, tmp_path):
    FeatureStore(tmp_path, Numbers(clip=4)).compute(records)
    store = FeatureStore(tmp_path, Numbers(clip=4), in_memory=True)
    part = dataclasses.replace(records[2], start=0.8, end=1.6)
    store.compute([part])
    stored = FeatureStore(tmp_path, Numbers(clip=4))
    for record in (*records, part):
        np.testing.assert_array_equal(store.rows(record), stored.rows(record)[:])
    for file in Path(store.root).iterdir():
        file.unlink()
    assert all(len(store.rows(record)) for record in (*records, part))
    with pytest.raises(ShardError, match="must be computed"):
        FeatureStore(tmp_path, Numbers(clip=4), in_memory=True).rows(records[0])


def test_a_part_of_a_video_has_its_own_features(records, tmp_path):
    store = FeatureStore(tmp_path, Numbers(clip=4))
    part = dataclasses.replace(records[2], start=0.8, end=1.6)  # frames 20 to 39
    store.compute([part, records[2]])
    assert store.rows(part)[:][:, 0].tolist() == list(range(20, 37))
    samples = Samples([part], Windows(17), inputs=[Features(store)], targets=[Mixture(1)])
    inputs, targets, _ = samples.draw(0)
    np.testing.assert_array_equal(shown(targets["mixture"])[:, 0], inputs["features"][:, 1])


def test_other_weights_have_other_features(records, tmp_path):
    folders = {
        FeatureStore(tmp_path, Numbers(**changes)).root
        for changes in ({}, {"clip": 8}, {"hop": 2}, {"digest": "b"})
    } | {FeatureStore(tmp_path, Numbers(), fps=10).root}
    assert len(folders) == 5
    store = FeatureStore(tmp_path, Numbers())
    with pytest.raises(ShardError, match=r"FeatureStore\.compute.*'v0'"):
        store.rows(records[0])


def test_a_changed_video_is_computed_again(records, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"")
    record = dataclasses.replace(records[0], video=str(path))
    stream = Numbers()
    store = FeatureStore(tmp_path / "store", stream)
    with pytest.raises(VideoError, match=r"1 of 2: v0: .*a\.mp4 of 0 bytes"):
        store.compute([record, records[1]])
    assert store.complete(records[1]) and not store.complete(record)
    for source, count in ((records[0], 25), (records[2], 45)):
        path.write_bytes(open(source.video, "rb").read())  # noqa: SIM115
        store = FeatureStore(tmp_path / "store", stream)
        store.compute([record])
        assert len(store.rows(record)) == count


def test_a_damaged_shard_is_named(records, tmp_path):
    store = FeatureStore(tmp_path, Numbers())
    store.compute(records[:1])
    (path,) = (tmp_path / store.root).glob("*.tfrecord")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ShardError, match=rf"delete it.*{path.name}.*'v0'"):
        FeatureStore(tmp_path, Numbers()).rows(records[0])[:]


def test_stored_features_are_smaller(tmp_path, records):
    class Sparse(Numbers):
        def describe(self):
            return {**super().describe(), "shape": [4096]}

        def rows(self, frames, total):
            rng = np.random.default_rng(0)
            for _ in frames:
                yield np.maximum(rng.normal(size=4096), 0).astype(np.float16).tobytes()

    store = FeatureStore(tmp_path, Sparse(clip=1))
    store.compute(records[:1])
    wanted = np.random.default_rng(0).normal(size=(40, 4096)).clip(0).astype(np.float16)
    np.testing.assert_array_equal(store.rows(records[0])[:], wanted)
    assert sum(p.stat().st_size for p in (tmp_path / store.root).iterdir()) < 0.8 * wanted.nbytes


def test_joined_features(records, tmp_path):
    stores = [FeatureStore(tmp_path, Numbers(digest=digest)) for digest in "ab"]
    for store in stores:
        store.compute(records)
    joined = JoinedFeatures(stores)
    samples = Samples(records, Windows(4), inputs=[Features(joined)], targets=[Action(3)])
    rows = samples.draw(0)[0]["features"]
    assert rows.shape == (4, 6)
    np.testing.assert_array_equal(rows[:, :3], rows[:, 3:])
    with pytest.raises(ValueError, match="same clips"):
        JoinedFeatures([stores[0], FeatureStore(tmp_path, Numbers(clip=8))])
    assert Frames(SIZE).spec(2) == ((2, *SIZE, 3), "uint8")


@pytest.mark.parametrize(
    "start, end, fps", [(None, None, 10), (0.83, 2.0, 10), (0.31, 1.61, 4), (0.31, 1.6, 7.5)]
)
def test_features_at_a_rate_belong_to_their_gaze(records, tmp_path, start, end, fps):
    """The part need not begin with a frame."""
    record = dataclasses.replace(records[2], start=start, end=end)
    store = FeatureStore(tmp_path, Numbers(clip=1), fps=fps)
    store.compute([record])
    count = len(store.rows(record))
    samples = Samples([record], Windows(count), inputs=[Features(store)], targets=[Mixture(1)])
    inputs, targets, _ = samples.draw(0)
    np.testing.assert_array_equal(shown(targets["mixture"])[:, 0], inputs["features"][:, 0])


def test_the_rate_of_a_folder_is_part_of_the_key(records, tmp_path):
    store = FeatureStore(tmp_path, Numbers(clip=1))
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(open_video(records[2].video).frames()):
        cv2.imwrite(str(folder / f"{number:04d}.png"), frame[..., ::-1])
    for fps, first in ((10, 10), (20, 20)):
        record = Record("folder", str(folder), start=1.0, end=1.5, fps=fps)
        store.compute([record])
        assert store.rows(record)[0][0] == first
