from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.datasets.conftest import number_of, numbered_video
from zoo.datasets.record import GazeSource, Record, Tube
from zoo.datasets.samples import Samples, sample_dataset, shard_examples, transformed
from zoo.datasets.sampling import Segments, Windows
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import load
from zoo.datasets.shards.streams import FlowStream, FrameStream
from zoo.datasets.transforms import Colour, Crop, HorizontalFlip, MultiScaleCrop

OPTIONS = {"image_size": (16, 64), "max_points": 2, "max_boxes": 2}
TRANSFORMS = (HorizontalFlip(), Crop(), MultiScaleCrop(), Colour())


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Videos that show their frame's number; gaze and a box say it too: x = frame / 64."""
    root, made = tmp_path_factory.mktemp("videos"), []
    for at, count in enumerate((40, 25, 60)):
        video = numbered_video(root / f"{at}.mp4", count)
        rows = "".join(f"{v},{f},{f}.25,{v}\n" for f in range(count) for v in (1, 2, 3))
        (root / f"{at}.csv").write_text("viewer,frame,x,y\n" + rows)
        boxes = np.stack([np.arange(3.0, 23), *np.tile([[2.0], [4.0], [6.0]], 20)], 1)
        gaze = GazeSource((str(root / f"{at}.csv"),))
        made.append(Record(f"v{at}", str(video), "train", at, gaze, boxes=(Tube(0, 3, boxes),)))
    return made


@pytest.fixture(scope="module")
def sharded(records, tmp_path_factory):
    root = tmp_path_factory.mktemp("shards")
    streams = [FrameStream((16, 64), 100), FlowStream((16, 64), "dis:ultrafast")]
    prepare(records, root, streams, per_shard=2, chunk=16, workers=1)
    by_name = {record.name: record for record in load(root)}
    return root, [by_name[record.name] for record in records]


def equal(first, second):
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("sampling", [Windows(9), Windows(9, fps=10), Segments(5, 2)])
@pytest.mark.parametrize("where", ["files", "shards"])
def test_pictures_gaze_and_boxes_belong_together(records, sharded, sampling, where):
    given = records if where == "files" else sharded[1]
    samples = Samples(given, sampling, per_video=3, flow=where == "shards", **OPTIONS)
    assert len(samples) == 9
    for number in range(9):
        held = samples.sample(0, number)
        frames = held["frames"]
        assert [number_of(frame) for frame in held["rgb"]] == frames.tolist()
        assert held["label"] == held["video"] == number // 3
        np.testing.assert_array_equal(
            np.floor(held["fixations"][..., 0] * 64), frames[:, None] + [0, 0]
        )
        inside = (frames >= 3) & (frames < 23)
        boxes = np.array([[f, 1, 4, 3] for f in frames[inside]]).reshape(-1, 4)
        np.testing.assert_allclose(held["boxes"][inside, 0], boxes)
        assert np.isnan(held["boxes"][~inside]).all() and np.isnan(held["boxes"][:, 1]).all()
        if where == "shards":
            assert held["flow"].shape == (len(frames), 16, 64, 2)


def test_the_same_whatever_the_workers_and_where_it_starts(records):
    samples = Samples(records, Windows(5), per_video=3, transforms=TRANSFORMS, seed=4, **OPTIONS)

    def batches(**options):
        return list(sample_dataset(samples, batch_size=2, epochs=3, **options).as_numpy_iterator())

    whole = batches(workers=1)
    assert len(whole) == 15 and len(whole[4]["rgb"]) == 1  # the ninth sample of an epoch
    for one, other in zip(whole, batches(workers=4), strict=True):
        equal(one, other)
    rest = sample_dataset(samples, batch_size=2, epochs=3, start_epoch=1, start_step=3, workers=3)
    assert rest.cardinality().numpy() == 7
    for one, other in zip(whole[8:], rest.as_numpy_iterator(), strict=True):
        equal(one, other)
    assert any(not np.array_equal(a["frames"], b["frames"]) for a, b in zip(whole[:5], whole[5:]))
    assert sorted(np.concatenate([b["video"] for b in whole[:5]])) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_all_samples_in_order_are_not_changed(records):
    options = {"transforms": TRANSFORMS, "shuffle": False, **OPTIONS}
    samples = Samples(records, Windows(20, hop=20), **options)
    (batch,) = sample_dataset(samples, batch_size=99).as_numpy_iterator()
    places = [(0, 0), (0, 20), (1, 0), (1, 5), (2, 0), (2, 20), (2, 40)]
    assert list(zip(batch["video"], batch["frames"][:, 0])) == places
    assert [number_of(rgb[0]) for rgb in batch["rgb"]] == [start for _, start in places]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: type(t).__name__)
def test_a_transform_is_the_same_eagerly_and_in_tf_data(transform):
    rng = np.random.default_rng(0)
    samples = {
        "rgb": rng.integers(0, 256, (6, 3, 20, 30, 3), dtype=np.uint8),
        "fixations": rng.random((6, 3, 4, 2), dtype=np.float32),
        "flow": rng.normal(size=(6, 3, 20, 30, 2)).astype(np.float32),
        "boxes": rng.uniform(1, 9, (6, 3, 2, 4)).astype(np.float32),
        "label": np.arange(6),
    }
    dataset = transformed(tf.data.Dataset.from_tensor_slices(samples), [transform], seed=5)
    changed = 0
    for at, found in enumerate(dataset.as_numpy_iterator()):
        one = {name: value[at] for name, value in samples.items()}
        wanted = transform(one, np.random.default_rng([5, at]))
        equal(found, wanted)
        changed += not np.array_equal(found["rgb"], one["rgb"])
    assert changed > 0
    for name, spec in dataset.element_spec.items():
        assert spec.shape == samples[name].shape[1:]


def test_tf_data_reads_the_shards_one_after_the_other(sharded):
    root, _ = sharded
    files = sorted(str(path) for path in root.glob("*.tfrecord"))
    seen = {}
    for chunk in shard_examples(files, ("rgb", "flow")):
        first, last, _ = chunk["frames"].numpy()
        rgb = np.stack([tf.io.decode_jpeg(data).numpy() for data in chunk["rgb"]])
        flow = tf.reshape(tf.io.decode_raw(chunk["flow"], tf.float16), (-1, 16, 64, 2)).numpy()
        assert len(rgb) == len(flow) == last - first
        name = chunk["video"].numpy().decode()
        assert [number_of(frame) for frame in rgb] == list(range(first, last))
        seen[name] = seen.get(name, 0) + len(rgb)
    assert seen == {"v0": 40, "v1": 25, "v2": 60}


def test_bad_arguments_are_named(records, sharded):
    with pytest.raises(ValueError, match=r"must have 30 frames.*'v1'"):
        Samples(records, Windows(30), shuffle=False)
    with pytest.raises(ValueError, match="prepare --flow"):
        Samples(records, Windows(3), flow=True)
    with pytest.raises(ValueError, match=r"image_size=\(8, 8\)"):
        Samples(sharded[1], Windows(3), flow=True, image_size=(8, 8))
    with pytest.raises(ValueError, match="start_step"):
        sample_dataset(Samples(records, Windows(3)), start_step=9)
    with pytest.raises(ValueError, match="at least one"):
        Samples([], Windows(3))
    several = dataclasses.replace(records[0], label=(0, 2))
    assert Samples([several], Windows(3)).sample(0, 0)["label"] == -1
