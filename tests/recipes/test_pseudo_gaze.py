import dataclasses

import keras
import numpy as np
import pytest

import zoo
from zoo.datasets import Frames, Mixture, Samples, Windows, moving_targets
from zoo.training.engine.progress import Progress
from zoo.training.pseudo_gaze import (
    DRAWN,
    NO_GAZE,
    draw_points,
    draw_pseudo_gaze,
    drawing_epochs,
    pseudo_gaze_after,
)


def test_points_have_the_mixtures_mean_and_covariance():
    # log weight, mean x, mean y, log sigma x, log sigma y, atanh rho
    one = [0.0, 0.4, 0.6, np.log(0.05), np.log(0.08), np.arctanh(0.7)]
    two = [np.log(3.0), 0.5, 0.3, np.log(0.04), np.log(0.03), np.arctanh(-0.5)]
    mixtures = np.float32([[one, two]])
    points = draw_points(mixtures, 200_000, np.random.default_rng(0))[0].astype(np.float64)
    points = points[np.isfinite(points).all(1)]
    weights, means = np.array([0.25, 0.75]), np.array([[0.4, 0.6], [0.5, 0.3]])
    covariances = np.array(
        [
            [[0.05**2, 0.7 * 0.05 * 0.08], [0.7 * 0.05 * 0.08, 0.08**2]],
            [[0.04**2, -0.5 * 0.04 * 0.03], [-0.5 * 0.04 * 0.03, 0.03**2]],
        ]
    )
    mean = weights @ means
    apart = means - mean
    covariance = np.einsum("c,cij->ij", weights, covariances)
    covariance += np.einsum("c,ci,cj->ij", weights, apart, apart)
    np.testing.assert_allclose(points.mean(0), mean, atol=1e-3)
    np.testing.assert_allclose(np.cov(points.T), covariance, atol=2e-4)


def test_points_outside_the_frame_are_left_out():
    corner = np.float32([[[0.0, 0.0, 0.0, np.log(0.1), np.log(0.1), 0.0]]])
    points = draw_points(corner, 4000, np.random.default_rng(0))[0]
    kept = np.isfinite(points).all(1)
    assert (points[kept] >= 0).all() and (points[kept] < 1).all()
    assert kept.mean() == pytest.approx(0.25, abs=0.03)


def test_gaze_is_drawn_after_some_epochs():
    assert drawing_epochs(40) == [12, 20, 28, 36]
    assert drawing_epochs(3) == [1, 2]
    assert drawing_epochs(1) == []


def model():
    """Looks at one place, regardless of its input."""
    video = keras.Input((None, 8, 8, 3), name="rgb")
    x = zoo.layers.PerStep(keras.layers.Flatten())(keras.layers.Rescaling(1 / 255)(video))
    layer = zoo.layers.MixtureDensity(3, name="mixture")
    made = keras.Model(video, {"mixture": layer(x)})
    kernel, bias = layer.get_weights()
    bias = bias.reshape(3, 6)
    bias[:, 1:5] = [0.2, 0.7, -9.0, -9.0]  # the smallest sigma, at one place
    layer.set_weights([0 * kernel, bias.ravel()])
    return made


@pytest.mark.parametrize("mirror, places", [(False, [0.2]), (True, [0.2, 0.8])])
def test_gaze_is_drawn_where_the_model_looks(tmp_path, mirror, places):
    moving_targets.make(tmp_path, num_videos=3, frames=20, size=(48, 48), viewers=1)
    records = [dataclasses.replace(r, gaze=None) for r in moving_targets.load(tmp_path)]
    samples = Samples(
        records,
        Windows(8, pad=True),
        inputs=[Frames((8, 8))],
        targets=[Mixture(1, lag=2)],
        points={record.name: NO_GAZE for record in records},
    )
    points = draw_pseudo_gaze(model(), samples, 2, seed=3, mirror=mirror)
    assert set(points) == {record.name for record in records}
    for gaze in points.values():
        assert gaze.shape == (20, 12, 2) and np.isnan(gaze[:2]).all()
        x, y = np.moveaxis(gaze[2:], -1, 0)
        distance = np.abs(x[..., None] - places)
        assert distance.min(-1).max() < 0.06 and np.abs(y - 0.7).max() < 0.06
        assert set(distance.argmin(-1).ravel()) == set(range(len(places)))
    again = draw_pseudo_gaze(model(), samples, 3, seed=3, mirror=mirror)
    np.testing.assert_array_equal(again[records[0].name], points[records[0].name])


def test_videos_without_a_prediction_are_named(tmp_path):
    """A clip model has no prediction for the first 15 frames."""
    moving_targets.make(tmp_path, num_videos=3, frames=16, size=(48, 48), viewers=1)
    long, short, _ = (dataclasses.replace(r, gaze=None) for r in moving_targets.load(tmp_path))
    records = [long, dataclasses.replace(short, end=0.2)]  # 5 frames
    points = {record.name: NO_GAZE for record in records}
    how = {"inputs": [Frames((8, 8))], "targets": [Mixture(1, lag=6)], "points": points}
    samples = Samples(records, Windows(8, pad=True), **how)
    with pytest.warns(UserWarning, match=rf"1 of 2 that are not: {short.name} \(5 frames\)"):
        drawn = draw_pseudo_gaze(model(), samples, 2, seed=3)
    assert np.isnan(drawn[short.name]).all() and len(drawn[short.name]) == 5
    assert np.isfinite(drawn[long.name][6:]).all()
    again = Samples(records, Windows(8, pad=True), **{**how, "points": drawn})
    weights = sorted(float(again.draw(number)[2]["mixture"]) for number in range(2))
    assert weights[0] == 0 < weights[1]


def test_sampled_gaze_is_stored(tmp_path):
    drawn = {"a": np.zeros((3, 2, 2), "float32"), "b": np.full((2, 2, 2), np.nan, "float32")}
    first = pseudo_gaze_after(2, Progress(epoch=2), tmp_path, lambda: drawn)
    later = Progress(epoch=2, step=1)
    kept = pseudo_gaze_after(2, later, tmp_path, lambda: pytest.fail("drawn already"))
    for found in (first, kept):
        assert list(found) == ["a", "b"]
        np.testing.assert_array_equal(found["b"], drawn["b"])
    # With more epochs, gaze is sampled after other ones; what was sampled last stays in use.
    for epoch in (1, 3):
        found = pseudo_gaze_after(epoch, Progress(epoch=3, step=1), tmp_path, dict)
        np.testing.assert_array_equal(found["a"], drawn["a"])
    with pytest.raises(ValueError, match="of epoch 2, in a run of 1 epochs"):
        pseudo_gaze_after(1, Progress(epoch=1, step=1), tmp_path, dict)
    (tmp_path / DRAWN).write_bytes(b"half a file")
    with pytest.raises(ValueError, match="cannot be read"):
        pseudo_gaze_after(2, later, tmp_path, dict)
