from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video
from zoo.datasets.pipeline import window_dataset
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.transforms import Colour, HorizontalFlip
from zoo.datasets.video.clips import FrameCache

SHAPE = {"image_size": (8, 64), "window": 18, "batch_size": 3, "max_points": 2}


@pytest.fixture
def records(tmp_path):
    """Three videos that show their frame's number and whose gaze says it: x = frame / 64."""
    made = []
    for at, count in enumerate((40, 25, 60)):
        video = numbered_video(tmp_path / f"{at}.mp4", count)
        rows = "".join(f"{v},{f},{f}.25,{v}\n" for f in range(count) for v in (1, 2, 3))
        (tmp_path / f"{at}.csv").write_text("viewer,frame,x,y\n" + rows)
        source = GazeSource((str(tmp_path / f"{at}.csv"),))
        made.append(Record(f"v{at}", str(video), gaze=source, label=at))
    return made


def as_list(dataset):
    return [tuple(part for part in item) for item in dataset.as_numpy_iterator()]


def equal(first, second):
    assert len(first) == len(second) > 0
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a[0]["rgb"], b[0]["rgb"])
        for name in a[1]:
            np.testing.assert_array_equal(a[1][name], b[1][name])


def test_pictures_and_gaze_belong_together(records):
    for x, y in as_list(window_dataset(records, transforms=(), seed=1, **SHAPE)):
        assert x["rgb"].shape[1:] == (18, 8, 64, 3) and x["rgb"].dtype == np.uint8
        assert y["mixture"].shape[1:] == (3, 2, 2)
        for rgb, points in zip(x["rgb"], y["mixture"]):
            numbers = [number_of(frame) for frame in rgb]
            np.testing.assert_array_equal(np.diff(numbers), 1)
            frames = np.floor(points[..., 0] * 64)
            np.testing.assert_array_equal(frames, np.repeat(numbers[15:], 2).reshape(3, 2))


def test_a_flip_mirrors_pictures_and_gaze(records):
    plain, mirrored = (
        as_list(window_dataset(records, transforms=(HorizontalFlip(p),), seed=1, **SHAPE))
        for p in (0.0, 1.0)
    )
    for (x, y), (mx, my) in zip(plain, mirrored):
        np.testing.assert_array_equal(x["rgb"][:, :, :, ::-1], mx["rgb"])
        np.testing.assert_allclose(1 - y["mixture"][..., 0], my["mixture"][..., 0], rtol=1e-6)


@pytest.mark.parametrize("step", [1, 2])
def test_a_run_goes_on_where_it_stopped(records, step, tmp_path):
    given = {**SHAPE, "seed": 5, "transforms": (HorizontalFlip(), Colour()), "epochs": 3}
    whole = as_list(window_dataset(records, **given))
    assert len(whole) == 6  # 2 + 1 + 3 windows an epoch, by threes
    cache = FrameCache(tmp_path / "cache")
    rest = window_dataset(records, start_epoch=1, start_step=step, workers=1, cache=cache, **given)
    assert rest.cardinality().numpy() == 4 - step
    equal(as_list(rest), whole[2 + step :])
    flat = [np.stack([y["mixture"] for _, y in whole[at : at + 2]]) for at in (0, 2, 4)]
    assert not np.array_equal(flat[0], flat[1])  # epochs differ
    other = as_list(window_dataset(records, **{**given, "seed": 6}))
    assert not np.array_equal(other[0][1]["mixture"], whole[0][1]["mixture"])


def test_without_shuffling_every_prediction_appears_once(records):
    dataset = window_dataset(records[:1], shuffle=False, hop=3, **{**SHAPE, "batch_size": 99})
    ((x, y),) = as_list(dataset)
    starts = [number_of(rgb[0]) for rgb in x["rgb"]]
    assert starts == [0, 3, 6, 9, 12, 15, 18, 21, 22]  # the last one ends with the video
    assert set(np.floor(y["mixture"][..., 0] * 64).ravel()) == set(range(15, 40))


def test_missing_targets_weigh_nothing(records):
    mixed = [
        dataclasses.replace(records[0], gaze=None),
        dataclasses.replace(records[2], label=None),
    ]
    dataset = window_dataset(mixed, targets=("mixture", "action"), shuffle=False, hop=99, **SHAPE)
    found = as_list(dataset)
    y = {name: np.concatenate([item[1][name] for item in found]) for name in found[0][1]}
    weight = {name: np.concatenate([item[2][name] for item in found]) for name in y}
    assert weight["mixture"].tolist() == [0, 0, 1, 1]
    assert weight["action"].tolist() == [1, 1, 0, 0]
    assert np.isnan(y["mixture"][:2]).all() and y["action"].tolist() == [0, 0, 0, 0]


def test_short_videos_are_named(records):
    long = {**SHAPE, "window": 30}
    with pytest.warns(UserWarning, match=r"1 of 3 videos.*v1 \(25\)"):
        window_dataset(records, **long)
    with pytest.raises(ValueError, match=r"v1 \(25\)"):
        window_dataset(records[1:2], **long)
    with pytest.raises(ValueError, match="clip_length"):
        window_dataset(records, clip_length=19, **SHAPE)


def test_keras_fits_on_it(records):
    import keras

    inputs = keras.Input((18, 8, 64, 3), name="rgb")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Dense(6)(keras.layers.Reshape((3, 6 * 8 * 64 * 3))(x))
    model = keras.Model(inputs, {"mixture": keras.layers.Reshape((3, 1, 6))(x)})
    model.compile("sgd", {"mixture": lambda t, p: keras.ops.mean(p**2, axis=(1, 2, 3))})
    history = model.fit(window_dataset(records, epochs=2, **SHAPE), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
