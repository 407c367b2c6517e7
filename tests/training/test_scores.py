"""Scores of mixtures on validation videos, whose frames and gaze both encode the frame's number."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.datasets.test_samples import SIZE, numbers_of, records, shown
from zoo.datasets import Frames, Mixture, Samples, Windows
from zoo.datasets.video.reading import VideoError
from zoo.training import scores
from zoo.training.scores import (
    Predictions,
    TruthMap,
    central_bias,
    choose_truth_map,
    point_counts,
    predict_samples,
    score,
)

__all__ = ["records"]

NAN = np.nan


def test_fixations_are_counted_in_their_pixels():
    points = [[[0.1, 0.9], [0.1, 0.95], [NAN, NAN]], [[1.0, 0.0], [0.5, 0.49], [NAN, 0.5]]]
    counts = point_counts(np.array(points, np.float32), 2, 4)
    wanted = [[[0, 0, 0, 0], [2, 0, 0, 0]], [[0, 0, 1, 1], [0, 0, 0, 0]]]
    np.testing.assert_array_equal(counts, wanted)


def test_truth_maps_are_blurred_fixations_on_a_uniform_ground():
    counts = np.zeros((2, 33, 65), np.float32)
    counts[0, 16, 32] = 2
    maps = TruthMap(sigma=3.0, uniform=0.2, degrees=65.0)(counts)  # a pixel is a degree wide
    np.testing.assert_allclose(maps.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(maps[1], 1 / maps[1].size, rtol=1e-5)
    assert maps[0].min() >= 0.2 / maps[0].size * 0.999
    density = (maps[0] - 0.2 / maps[0].size) / 0.8
    columns = np.arange(65) - 32
    spread = np.sqrt(density.sum(0) @ columns**2)
    assert spread == pytest.approx(3.0, rel=0.05) and abs(density.sum(0) @ columns) < 1e-4


def test_the_central_bias_is_where_people_look_in_all_videos():
    truth = [
        np.array([[[0.25, 0.25]], [[NAN, NAN]]], np.float32),
        np.array([[[0.75, 0.75], [0.75, 0.75]]], np.float32),
    ]
    samples = SimpleNamespace(records=[0, 1], truth=lambda video: truth[video])
    bias = central_bias(samples, 40, 40)
    assert bias.sum() == pytest.approx(1, rel=1e-5) and bias.min() >= 0.0099 / bias.size
    assert bias[:20, :20].sum() == pytest.approx(0.01 / 4 + 0.99 / 3, rel=1e-3)
    assert bias[20:, 20:].sum() == pytest.approx(0.01 / 4 + 0.99 * 2 / 3, rel=1e-3)
    assert scores.most_points(samples) == 2


@pytest.mark.parametrize("every, batch_size", [(1, 4), (3, 2)])
def test_each_frame_is_predicted_once_with_its_own_gaze(records, monkeypatch, every, batch_size):
    def told(model, frames):
        """A mixture whose mean is the number that a frame shows; the action is the window's."""
        numbers = np.array([numbers_of(window) for window in np.asarray(frames)], float)
        return {
            "mixture": np.repeat(numbers[:, 3:, None, None], 6, -1),
            "action": numbers[:, :1] + [0.0, 0.5],
        }

    monkeypatch.setattr(scores, "predict_on_batch", told)
    samples = Samples(
        records, Windows(10, pad=True), inputs=[Frames(SIZE)], targets=[Mixture(1, lag=3)]
    )
    found = predict_samples(None, samples, batch_size, every)
    for video, count in enumerate((40, 25, 60)):
        own = found.videos == video
        wanted = [number for number in range(3, count) if number % every == 0]
        assert found.mixtures[own, 0, 1].tolist() == wanted
        np.testing.assert_array_equal(shown(found.points[own]), np.repeat([wanted], 3, 0).T)
        begins = [place.steps[0] for place in samples.places if place.video == video]
        np.testing.assert_allclose(found.actions[video], np.mean(begins) + np.array([0, 0.5]))
    assert len(found.videos) == len(found.mixtures) == len(found.points)


def test_videos_with_more_viewers_widen_the_others(monkeypatch):
    truth = [np.zeros((2, 1, 2), np.float32), np.ones((2, 3, 2), np.float32)]
    steps = np.arange(2)
    samples = SimpleNamespace(
        records=[0, 1],
        truth=lambda video: truth[video],
        places=[SimpleNamespace(video=video, scored=steps) for video in range(2)],
    )
    monkeypatch.setattr(scores, "batches_in_order", lambda samples, size: [("inputs", {}, {})])
    outputs = {"mixture": np.zeros((2, 2, 1, 6))}
    monkeypatch.setattr(scores, "predict_on_batch", lambda model, inputs: outputs)
    found = predict_samples(None, samples, 2)
    assert found.points.shape == (4, 3, 2) and found.actions is None
    assert np.isfinite(found.points).all(-1).sum(1).tolist() == [1, 1, 3, 3]


def mixtures(places, sigma=0.05) -> np.ndarray:
    """One Gaussian at each place."""
    made = np.zeros((len(places), 1, 6), np.float32)
    made[:, 0, 1:3] = places
    made[:, 0, 3:5] = np.log(sigma)
    return made


def test_the_loss_is_a_mean_over_fixations_then_frames_then_videos():
    places = np.array([[0.5, 0.5]] * 4, np.float32)
    points = np.full((4, 2, 2), NAN, np.float32)
    points[0] = [[0.5, 0.5], [0.6, 0.5]]  # 0 and 2 sigma away
    points[1, 1] = [0.5, 0.55]  # 1 sigma away
    points[3, 0] = [0.5, 0.35]  # 3 sigma away; the frame before it has no fixation
    videos = np.array([0, 0, 1, 1])
    values = score(Predictions(mixtures(places), points, videos), TruthMap())
    at_the_mean = np.log(2 * np.pi * 0.05**2)
    wanted = at_the_mean + np.mean([np.mean([np.mean([0, 2.0]), 0.5]), 4.5])
    assert values["loss_per_fixation"] == pytest.approx(wanted, rel=1e-5)
    assert "information_gain" not in values
    baseline = np.full((36, 64), 1 / (36 * 64), np.float32)
    gained = score(Predictions(mixtures(places), points, videos), TruthMap(), baseline=baseline)
    assert "information_gain" in gained


def test_negatives_come_from_the_other_videos(monkeypatch):
    given = []

    def metrics(maps, counts, truth, other, baseline):
        given.append(None if other is None else other.copy())
        return {"nss": np.zeros(len(maps))}

    monkeypatch.setattr(scores, "saliency_metrics", metrics)
    places = np.array([[0.1, 0.1], [0.1, 0.1], [0.9, 0.9]], np.float32)
    found = Predictions(mixtures(places), places[:, None], np.array([0, 0, 1]))
    score(found, TruthMap(), height=2, width=2)
    np.testing.assert_array_equal(given, [[[0, 0], [0, 1]], [[2, 0], [0, 0]]])
    given.clear()
    alone = Predictions(mixtures(places[:2]), places[:2, None], np.array([0, 0]))
    assert score(alone, TruthMap(), height=2, width=2)["nss"] == 0 and given == [None]


def test_the_truth_map_that_fits_is_chosen():
    """Viewers look at one place in each frame, predicted with one of the two widths."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0.3, 0.7, (12, 2)).astype(np.float32)
    points = places[:, None].copy()
    points[3] = NAN
    videos = np.repeat(np.arange(3), 4)
    for sigma in (2.0, 6.0):
        # 36 x 64 pixels: a round Gaussian has a larger sigma relative to the height.
        made = mixtures(places)
        made[:, 0, 3] = np.log(sigma / 64)
        made[:, 0, 4] = np.log(sigma / 36)
        best, table = choose_truth_map(
            Predictions(made, points, videos), sigmas=(2.0, 6.0), uniforms=(0.0, 0.9), degrees=64.0
        )
        # CC and SIM do not depend on the added constant, so they determine only the width.
        assert (best.sigma, best.degrees) == (sigma, 64.0)
        rows = {(row["sigma"], row["uniform"]): row for row in table}
        assert set(rows) == {(2.0, 0.0), (2.0, 0.9), (6.0, 0.0), (6.0, 0.9)}
        assert rows[sigma, 0.0]["cc"] > 0.98 and rows[sigma, 0.0]["similarity"] > 0.9


def test_a_video_that_breaks_during_training_is_named(records, tmp_path):
    """TensorFlow's own error is not a user's."""
    path = tmp_path / "a.mp4"
    path.write_bytes(Path(records[0].video).read_bytes())
    own = dataclasses.replace(records[0], video=str(path))
    samples = Samples([own], Windows(9), inputs=[Frames(SIZE)], targets=[Mixture(2)])
    path.write_bytes(b"broken")
    with pytest.raises(VideoError, match=r"a\.mp4"):
        scores.predict_samples(None, samples, 2)
