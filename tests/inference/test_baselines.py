import numpy as np
import pytest

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.evaluating import baselines
from zoo.inference.writing.rendering import render_mixture


def test_uniform_and_central_map():
    assert baselines.uniform_map(4, 5).sum() == pytest.approx(1)
    central = baselines.central_map(41, 61)
    assert central.sum() == pytest.approx(1, abs=1e-5)
    assert np.unravel_index(central.argmax(), central.shape) == (20, 30)


def test_the_trained_central_bias_is_the_density_of_the_fixations():
    rng = np.random.default_rng(0)
    covariance = [[0.01, 0.006], [0.006, 0.02]]
    points = rng.multivariate_normal([0.3, 0.6], covariance, 4000)
    mixture = baselines.fit_central_bias([points], components=1)
    sigma = np.exp(mixture[0, 3:5])
    np.testing.assert_allclose(mixture[0, 1:3], [0.3, 0.6], atol=0.01)
    np.testing.assert_allclose(sigma**2, [0.01, 0.02], rtol=0.1)
    assert np.tanh(mixture[0, 5]) == pytest.approx(0.006 / np.sqrt(0.0002), abs=0.05)
    density = render_mixture(baselines.fit_central_bias([points[:2000], points[2000:]]), 30, 30)
    counts = np.histogram2d(points[:, 1], points[:, 0], bins=30, range=[[0, 1], [0, 1]])[0]
    assert np.corrcoef(density.ravel(), counts.ravel())[0, 1] > 0.95
    assert baselines.fit_central_bias([points[:2], points[2:3]]).shape == (1, 6)
    with pytest.raises(ValueError, match="at least 2 fixations"):
        baselines.fit_central_bias([points[:1]])


@pytest.mark.slow
def test_the_number_of_gaussians_is_chosen_on_held_out_videos():
    rng = np.random.default_rng(0)
    two = [np.concatenate([rng.normal(m, 0.03, (500, 2)) for m in (0.2, 0.8)]) for _ in range(4)]
    assert len(baselines.fit_central_bias(two)) >= 2
    # Each video has a different place, so training videos say little about others.
    apart = [rng.normal(rng.uniform(0.1, 0.9, 2), 0.01, (50, 2)) for _ in range(8)]
    assert len(baselines.fit_central_bias(apart)) == 1


def test_motion_is_where_something_moves(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", fps=25, height=48, width=64) as writer:
        for index in range(40):
            frame = np.full((48, 64, 3), 90, np.uint8)
            frame[30:36, 20 + index // 2 : 28 + index // 2] = 240
            writer.write(frame)
    pieces = list(baselines.motion_maps(open_video(tmp_path / "v.mp4"), 24, 32))
    frames = np.concatenate([f for f, _ in pieces])
    maps = np.concatenate([m for _, m in pieces])
    assert frames.tolist() == list(range(40))
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(maps[0], 1 / maps[0].size, rtol=1e-3)
    row, column = np.unravel_index(maps[25].argmax(), (24, 32))
    assert abs(row - 16.5) < 3
    assert abs(column - 18) < 5
    assert maps.min() > 0


def test_viewers_predict_with_their_fixations():
    fixations = Fixations(
        frame=np.array([0, 0, 33]),
        x=np.array([0.25, 0.25, 0.75]),
        y=np.array([0.5, 0.5, 0.5]),
        viewer=np.array([1, 2, 1]),
        num_frames=40,
    )
    pieces = list(baselines.viewer_maps(fixations, 20, 40, sigma=0.03))
    maps = np.concatenate([m for _, m in pieces])
    assert maps.shape == (40, 20, 40)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1, atol=1e-4)
    assert np.unravel_index(maps[0].argmax(), (20, 40)) == (10, 10)
    assert np.unravel_index(maps[33].argmax(), (20, 40)) == (10, 30)
    np.testing.assert_allclose(maps[5], 1 / 800)
