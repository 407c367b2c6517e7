from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.datasets.conftest import served
from tests.datasets.test_samples import (
    SIZE,
    TARGETS,
    TRANSFORMS,
    folders,
    numbers_of,
    records,
    sharded,
    shown,
)
from zoo.datasets import Action, Frames, Mixture, Samples, Windows, stream, validation
from zoo.datasets.shards.examples import shard_examples

__all__ = ["folders", "records", "sharded"]


def made(records, **changes):
    options = {"inputs": [Frames(SIZE)], "targets": TARGETS, "transforms": TRANSFORMS}
    return Samples(records, Windows(5), **{"per_video": 3, "seed": 4, **options, **changes})


def batches(samples, count, size=4, **options):
    return list(stream(samples, size, **options).take(count).as_numpy_iterator())


def equal(first, second):
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_each_batch_is_a_function_of_seed_and_step(records):
    samples = made(records)
    whole = batches(samples, 7, workers=1)
    equal(whole, batches(samples, 7, workers=4))
    equal(whole, batches(made(records), 7))
    equal(whole[3:], batches(samples, 4, start_step=3, workers=2))
    other = batches(made(records, seed=5), 7)
    assert not np.array_equal(whole[0][0], other[0][0])
    # Every batch is full: nine samples per epoch, three per video, continue across epochs.
    labels = np.concatenate([targets["action"] for _, targets, _ in whole])
    assert len(labels) == 28
    for epoch in range(3):
        assert sorted(labels[9 * epoch : 9 * epoch + 9]) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    firsts = [
        numbers_of(row)[0] for x, _, _ in batches(made(records, transforms=()), 7) for row in x
    ]
    assert firsts[:9] != firsts[9:18]


def test_hosts_share_each_batch_without_overlap(records):
    samples = made(records)
    whole = batches(samples, 4)
    parts = [batches(samples, 4, shard=(host, 2)) for host in range(2)]
    joined = [
        tf.nest.map_structure(lambda a, b: np.concatenate([a, b]), first, second)
        for first, second in zip(*parts)
    ]
    equal(whole, joined)


def test_more_workers_than_processors_read_in_parallel(records, monkeypatch):
    workers = 2 + (os.cpu_count() or 1)
    met = threading.Barrier(workers, timeout=60)  # raises an error if fewer arrive
    samples = made(records)
    draw = Samples.draw

    def slow(self, number, step):
        if number < workers:
            met.wait()
        return draw(self, number, step)

    monkeypatch.setattr(Samples, "draw", slow)
    assert len(batches(samples, 2, size=workers, workers=workers)) == 2


def test_shapes_and_types_are_static(records):
    inputs, targets, weights = stream(made(records), 4).element_spec
    assert inputs == tf.TensorSpec((4, 5, *SIZE, 3), tf.uint8)
    assert targets["mixture"] == tf.TensorSpec((4, 5, 2, 2), tf.float32)
    assert targets["action"] == tf.TensorSpec((4,), tf.int32)
    assert weights["boxes"] == tf.TensorSpec((4,), tf.float32)


def test_validation_is_finite_and_padding_has_weight_zero(records):
    samples = made(records, targets=[Mixture(1, lag=2), Action(3)])
    dataset = validation(samples, 4)
    count = len(samples.places)
    assert dataset.cardinality().numpy() == -(-count // 4) and count % 4
    found = list(dataset.as_numpy_iterator())
    weights = np.concatenate([weights["action"] for _, _, weights in found])
    assert weights.tolist() == [1.0] * count + [0.0] * (len(weights) - count)
    rgb = np.concatenate([inputs for inputs, _, _ in found])
    assert [numbers_of(row)[0] for row in rgb[:count]] == [p.steps[0] for p in samples.places]
    halves = [list(validation(samples, 4, shard=(h, 2)).as_numpy_iterator()) for h in (0, 1)]
    both = [np.concatenate([a[0], b[0]]) for a, b in zip(*halves, strict=True)]
    np.testing.assert_array_equal(np.concatenate(both), rgb)


def test_keras_fits_on_it(records):
    import keras

    inputs = keras.Input((5, *SIZE, 3), name="rgb")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, {"action": keras.layers.Dense(3, activation="softmax")(x)})
    model.compile("sgd", {"action": "sparse_categorical_crossentropy"})
    samples = made(records, targets=[Action(3)])
    held_out = validation(samples, 4)
    history = model.fit(
        stream(samples, 4), steps_per_epoch=3, epochs=2, validation_data=held_out, verbose=0
    )
    assert np.isfinite(history.history["val_loss"]).all()


def test_an_error_in_the_middle_names_the_video(records, tmp_path):
    path = tmp_path / "a.mp4"
    shutil.copy(records[0].video, path)
    samples = made([dataclasses.replace(records[0], video=str(path)), *records[1:]])
    found = iter(stream(samples, 4, workers=1))
    next(found)
    path.unlink()
    with pytest.raises(tf.errors.OpError, match=r"put it back.*a\.mp4"):
        for _ in range(9):
            next(found)
    assert "put it back" in str(samples.fault)


def test_tf_data_reads_the_shards_one_after_the_other(sharded):
    from zoo.datasets.shards.reading import shard_video

    root = shard_video(sharded[0].video).shards.root
    files = sorted(str(path) for path in Path(root).glob("*.tfrecord"))
    seen = {}
    for chunk in shard_examples(files, ("rgb", "flow")):
        first, last, _ = chunk["frames"].numpy()
        rgb = np.stack([tf.io.decode_jpeg(data).numpy() for data in chunk["rgb"]])
        flow = tf.reshape(tf.io.decode_raw(chunk["flow"], tf.float16), (-1, *SIZE, 2)).numpy()
        assert len(rgb) == len(flow) == last - first
        name = chunk["video"].numpy().decode()
        assert numbers_of(rgb) == list(range(first, last))
        seen[name] = seen.get(name, 0) + len(rgb)
    assert seen == {"v0": 40, "v1": 25, "v2": 60}


def test_bad_arguments_are_named(records):
    samples = made(records)
    with pytest.raises(ValueError, match="9 samples of 3 videos, batch_size=10"):
        stream(samples, 10)
    for options, message in (
        ({"start_step": -1}, "start_step"),
        ({"shard": (2, 2)}, "shard"),
        ({"shard": (0, 3)}, "divisible.*3 hosts"),
    ):
        with pytest.raises(ValueError, match=message):
            stream(samples, 4, **options)
    assert shown(samples.truth(0)).shape == (40, 3)


def test_shards_on_a_web_server_are_streamed(sharded, records):
    from zoo.datasets.shards.reading import load, shard_video

    with served(shard_video(sharded[0].video).shards.root) as address:
        there = {r.name: r for r in load(address)}
        distant = [there[record.name] for record in sharded]
        equal(batches(made(sharded), 3), batches(made(distant), 3))
