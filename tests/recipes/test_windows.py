from __future__ import annotations

import numpy as np
import pytest

from zoo.training.windows import Source, Windows


def source(name="a", frames=30, points=4, seed=0, size=8):
    rng = np.random.default_rng(seed)
    gaze = rng.random((frames, points, 2)).astype("float32")
    gaze[rng.random((frames, points)) < 0.3] = np.nan
    # The first pixel tells the frame's number, and the first column which side it is on.
    inputs = rng.integers(0, 255, (frames, size, size, 3)).astype("uint8")
    inputs[:, 0, 0, 0] = np.arange(frames)
    return Source(name, inputs, gaze)


SOURCES = [source("a", 30, seed=1), source("b", 24, seed=2), source("c", 40, seed=3)]


def test_a_batch_depends_on_seed_epoch_and_step_alone():
    windows = Windows(SOURCES, length=20, batch_size=2, per_video=3, flips=True, seed=4)
    assert windows.steps == 5
    whole = list(windows.batches(2))
    rest = list(windows.batches(2, 3))
    assert len(whole) == 5
    assert len(rest) == 2
    for (x, y), (again, gaze) in zip(whole[3:], rest):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(y["mixture"], gaze["mixture"])
    other = next(windows.batches(3))
    assert not np.array_equal(other[0], whole[0][0])


def test_every_video_comes_as_often_as_asked():
    gaze = np.zeros((25, 1, 2), "float32")
    videos = [Source(str(n), np.full((25, 1, 1, 3), n, "uint8"), gaze) for n in range(3)]
    windows = Windows(videos, length=20, batch_size=3, per_video=2, seed=4)
    seen = [int(x[0, 0, 0, 0]) for batch, _ in windows.batches(0) for x in batch]
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]


def test_fixations_stay_with_their_frames():
    windows = Windows(SOURCES[:1], length=20, lag=15, seed=1, batch_size=4, per_video=4)
    x, y = windows.batch(0, 0)
    assert x.shape == (4, 20, 8, 8, 3)
    assert y["mixture"].shape == (4, 5, 4, 2)
    for window, gaze in zip(x, y["mixture"]):
        start = int(window[0, 0, 0, 0])
        np.testing.assert_array_equal(gaze, SOURCES[0].points[start + 15 : start + 20])


def test_a_flip_mirrors_frames_and_fixations():
    plain = Windows(SOURCES[:1], length=30, batch_size=8, per_video=8, seed=2)
    flipping = Windows(SOURCES[:1], length=30, batch_size=8, per_video=8, seed=2, flips=True)
    (x, y), (mirrored, gaze) = plain.batch(0, 0), flipping.batch(0, 0)
    turned = [not np.array_equal(a, b) for a, b in zip(x, mirrored)]
    assert 0 < sum(turned) < 8
    which = turned.index(True)
    np.testing.assert_array_equal(mirrored[which], x[which][:, :, ::-1])
    np.testing.assert_allclose(gaze["mixture"][which][..., 0], 1 - y["mixture"][which][..., 0])
    np.testing.assert_array_equal(gaze["mixture"][which][..., 1], y["mixture"][which][..., 1])


def test_a_vertical_flip_turns_frames_and_fixations_upside_down():
    options = {"length": 30, "batch_size": 8, "per_video": 8, "seed": 2}
    plain, turning = (
        Windows(SOURCES[:1], **options),
        Windows(SOURCES[:1], vertical_flips=True, **options),
    )
    (x, y), (turned, gaze) = plain.batch(0, 0), turning.batch(0, 0)
    which = [n for n in range(8) if not np.array_equal(x[n], turned[n])]
    assert 0 < len(which) < 8
    for n in range(8):
        down = n in which
        np.testing.assert_array_equal(turned[n], x[n][:, ::-1] if down else x[n])
        rows = y["mixture"][n][..., 1]
        np.testing.assert_allclose(gaze["mixture"][n][..., 1], 1 - rows if down else rows)
        np.testing.assert_array_equal(gaze["mixture"][n][..., 0], y["mixture"][n][..., 0])


def test_more_fixations_than_wanted_are_drawn_from_real_ones():
    many = source("many", 12, points=9, seed=5)
    windows = Windows([many], length=12, max_points=3, batch_size=2, per_video=2)
    _, y = windows.batch(0, 0)
    assert y["mixture"].shape == (2, 12, 3, 2)
    real = np.isfinite(many.points).all(-1).sum(1)
    for gaze in y["mixture"]:
        np.testing.assert_array_equal(np.isfinite(gaze).all(-1).sum(1), np.minimum(real, 3))
    assert not np.array_equal(y["mixture"][0], y["mixture"][1], equal_nan=True)


def test_a_short_video_stands_still_and_is_not_watched():
    short = source("short", 17)
    x, y = Windows([short], length=20, lag=15, batch_size=1).batch(0, 0)
    np.testing.assert_array_equal(x[0, 17:], np.repeat(short.inputs[-1:], 3, axis=0))
    assert np.isnan(y["mixture"][0, 2:]).all()
    assert np.isfinite(y["mixture"][0, :2]).any()


@pytest.mark.parametrize("lag", [0, 15])
@pytest.mark.parametrize("frames", [17, 20, 43])
def test_in_order_covers_every_predicted_step_once(lag, frames):
    one = source("one", frames)
    covered = []
    windows = Windows([one, SOURCES[1]], length=20, lag=lag, batch_size=2)
    for x, y, places in windows.in_order():
        for window, gaze, (number, first, count) in zip(x, y["mixture"], places):
            if number == 0:
                assert int(window[lag, 0, 0, 0]) == first
                np.testing.assert_array_equal(gaze[:count], one.points[first : first + count])
                covered += range(first, first + count)
    assert covered == list(range(lag, frames))


def test_errors_of_the_reading_thread_arrive():
    broken = Source("x", np.zeros((30, 2, 2, 3), "uint8"), np.zeros((30, 1, 2), "float32"))
    windows = Windows([broken], length=20)
    object.__setattr__(broken, "points", None)
    with pytest.raises(TypeError):
        list(windows.batches(0))


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least one video"):
        Windows([], length=20)
    with pytest.raises(ValueError, match="length=15, lag=15"):
        Windows(SOURCES, length=15, lag=15)
    with pytest.raises(ValueError, match="cached features"):
        Windows(SOURCES, length=20, flips=True, key="features")
    with pytest.raises(ValueError, match="30 and 29"):
        Source("x", np.zeros((30, 2)), np.zeros((29, 1, 2)))


def test_a_zoom_moves_the_fixations_with_the_picture():
    rng = np.random.default_rng(0)
    size, frames = 64, 20
    places = rng.uniform(0.1, 0.9, (frames, 1, 2)).astype("float32")
    pictures = np.zeros((frames, size, size, 3), "uint8")
    grid = (np.arange(size) + 0.5) / size
    for picture, (x, y) in zip(pictures, places[:, 0]):
        blob = np.exp(-((grid - x) ** 2 + (grid[:, None] - y) ** 2) / (2 * 0.03**2))
        picture[:] = (255 * blob)[..., None]
    blobs = Source("blobs", pictures, places)
    windows = Windows([blobs], length=frames, batch_size=6, per_video=6, zoom=0.5, seed=1)
    x, y = windows.batch(0, 0)
    assert x.shape == (6, frames, size, size, 3)
    seen = np.isfinite(y["mixture"]).all(-1)[..., 0]
    assert 0 < (~seen).sum() < seen.size  # some are cut off, and are no fixations any more
    inside = seen & (np.abs(y["mixture"][..., 0, :] - 0.5).max(-1) < 0.38)  # whole blobs
    mass = x[..., 0].astype("float64")
    centre = np.stack(
        [(mass.sum(-2) * grid).sum(-1), (mass.sum(-1) * grid).sum(-1)], axis=-1
    ) / mass.sum((-1, -2))[..., None].clip(1e-9)
    np.testing.assert_allclose(centre[inside], y["mixture"][..., 0, :][inside], atol=0.02)


def test_jitter_changes_a_window_as_a_whole():
    windows = Windows(SOURCES[:1], length=30, batch_size=2, jitter=0.3, seed=1)
    plain = Windows(SOURCES[:1], length=30, batch_size=2, seed=1)
    (x, y), (before, gaze) = windows.batch(0, 0), plain.batch(0, 0)
    np.testing.assert_array_equal(y["mixture"], gaze["mixture"])
    for changed, frames in zip(x, before):
        levels = {int(v): set(changed[frames == v].tolist()) for v in np.unique(frames)}
        assert all(len(values) == 1 for values in levels.values())
        assert not np.array_equal(changed, frames)


def test_zoom_and_jitter_out_of_range():
    with pytest.raises(ValueError, match="zoom=0"):
        Windows(SOURCES, length=20, zoom=0)
    with pytest.raises(ValueError, match="jitter=1"):
        Windows(SOURCES, length=20, jitter=1)
