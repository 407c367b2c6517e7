import keras
import numpy as np
import pytest

import zoo
from zoo.losses import MixtureNLL
from zoo.training.joint_windows import JointSource, JointWindows
from zoo.training.loop import fit
from zoo.training.pseudo_gaze import DRAWN, PseudoGaze, draw_points

EPOCHS = 6


def source(number, watched):
    rng = np.random.default_rng(number)
    points = rng.uniform(size=(12, 20, 2)).astype("float32")
    frames = rng.integers(0, 256, (12, 8, 8, 3)).astype("uint8")
    if not watched:
        points = np.full((12, 1, 2), np.nan, "float32")
    return JointSource(f"video_{number}", frames, points, str(number), number % 3)


def windows(**options):
    sources = [source(number, watched=number % 2 == 0) for number in range(6)]
    return JointWindows(sources, num_classes=3, length=8, batch_size=6, seed=1, **options)


def model():
    keras.utils.set_random_seed(0)
    video = keras.Input((None, 8, 8, 3))
    x = zoo.layers.PerStep(keras.layers.Flatten())(keras.layers.Rescaling(1 / 255)(video))
    mixture = zoo.layers.MixtureDensity(3, name="mixture")(x)
    action = keras.layers.GlobalMaxPooling1D()(x)
    action = keras.layers.Dense(3, "softmax", name="action")(action)
    made = keras.Model(video, {"mixture": mixture, "action": action})
    losses = {"mixture": MixtureNLL("mean"), "action": "sparse_categorical_crossentropy"}
    made.compile("adam", loss=losses, jit_compile=False)
    return made


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


def test_points_outside_of_the_frame_are_none():
    corner = np.float32([[[0.0, 0.0, 0.0, np.log(0.1), np.log(0.1), 0.0]]])
    points = draw_points(corner, 4000, np.random.default_rng(0))[0]
    kept = np.isfinite(points).all(1)
    assert (points[kept] >= 0).all() and (points[kept] < 1).all()
    assert kept.mean() == pytest.approx(0.25, abs=0.03)


def test_videos_without_gaze_get_it_after_the_first_epochs(tmp_path):
    pseudo = PseudoGaze(model(), windows(), tmp_path, EPOCHS, 0.5)
    assert pseudo.epochs == [2, 3, 4, 5]
    for _, _, weights in pseudo.batches(0, 0):
        assert sorted(weights["mixture"].tolist()) == [0, 0, 0, 2, 2, 2]
    for _, found, weights in pseudo.batches(2, 0):
        assert sorted(weights["mixture"].tolist()) == [1, 1, 1, 2, 2, 2]
        drawn = found["mixture"][weights["mixture"] == 1]
        count = np.isfinite(drawn).all(-1).sum(-1)
        assert drawn.shape == (3, 8, 20, 2) and 0 < count.max() <= 12
    before = pseudo.windows.sources[1].points
    list(pseudo.batches(3, 0))
    assert not np.array_equal(before, pseudo.windows.sources[1].points, equal_nan=True)


def test_gaze_is_drawn_where_the_model_looks(tmp_path):
    made = model()
    kernel, bias = made.get_layer("mixture").get_weights()
    bias = bias.reshape(3, 6)
    bias[:, 1:5] = [0.2, 0.7, -9.0, -9.0]  # the least sigma, at one place
    made.get_layer("mixture").set_weights([0 * kernel, bias.ravel()])
    for flips, places in ((False, [0.2]), (True, [0.2, 0.8])):
        pseudo = PseudoGaze(made, windows(flips=flips), tmp_path, EPOCHS)
        list(pseudo.batches(2, 0))
        x, y = np.moveaxis(pseudo.windows.sources[3].points, -1, 0)
        distance = np.abs(x[..., None] - places)
        assert distance.min(-1).max() < 0.06 and np.abs(y - 0.7).max() < 0.06
        assert set(distance.argmin(-1).ravel()) == set(range(len(places)))


def test_a_stopped_run_goes_on_as_an_unbroken_one(tmp_path):
    def run(output, epochs, stop=None):
        made = model()
        given = PseudoGaze(made, windows(flips=True, per_video=2), output, EPOCHS)

        def batches(epoch, step):
            for number, batch in enumerate(given.batches(epoch, step), step):
                if (epoch, number) == stop:
                    raise KeyboardInterrupt
                yield batch

        options = {"epochs": epochs, "steps": 2, "rate": lambda epoch, step: 0.01}
        fit(made, batches, output=output, save_seconds=0, show_progress=False, **options)
        return made.get_weights()

    whole = run(tmp_path / "whole", EPOCHS)
    for stop in ((3, 0), (3, 1), (4, 0)):
        output = tmp_path / f"{stop}"
        with pytest.raises(KeyboardInterrupt):
            run(output, EPOCHS, stop)
        for one, two in zip(run(output, EPOCHS), whole, strict=True):
            np.testing.assert_array_equal(one, two)


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="`weight` must be above 0 and at most 1"):
        PseudoGaze(model(), windows(), tmp_path, EPOCHS, 1.5)
    blind = JointWindows([source(1, watched=False)], num_classes=3, length=8)
    with pytest.raises(ValueError, match="none among 1 training videos"):
        PseudoGaze(model(), blind, tmp_path, EPOCHS)
    with pytest.raises(ValueError, match="cannot be read"):
        PseudoGaze(model(), windows(), tmp_path, EPOCHS).batches(2, 1)
    list(PseudoGaze(model(), windows(), tmp_path, EPOCHS).batches(2, 0))
    with pytest.raises(ValueError, match="of epoch 2 for 3 videos, not of epoch 3"):
        PseudoGaze(model(), windows(), tmp_path, EPOCHS).batches(3, 1)
    (tmp_path / DRAWN).write_bytes(b"half a file")
    with pytest.raises(ValueError, match="cannot be read"):
        PseudoGaze(model(), windows(), tmp_path, EPOCHS).batches(2, 1)
