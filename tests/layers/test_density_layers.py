import keras
import numpy as np
import pytest
import scipy.ndimage
from keras import ops

from zoo.layers import (
    CentreBias,
    DensityMemory,
    Earlier,
    Enlarge,
    FrameBrightness,
    GazeScatter,
    LogDensity,
    MapMixture,
    MotionMixture,
    PastDensity,
    PlaceLogMass,
    ResizeLike,
    TrailingMean,
    VideoCentreBias,
    mixture_map,
)
from zoo.losses import DensityCrossEntropy, density_cross_entropy

RNG = np.random.default_rng(0)


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("size", [(9, 13), (10, 14), (3, 4), (5, 7), (1, 1)])
def test_resize_equals_keras(size):
    x = RNG.normal(size=(2, 5, 7, 3)).astype("float32")
    expected = numpy(keras.ops.image.resize(x, size, data_format="channels_last"))
    np.testing.assert_allclose(numpy(ResizeLike()(x, np.zeros((2, *size, 1)))), expected, atol=1e-5)


def test_enlarge():
    x = np.array([0.0, 4.0], "float32").reshape(1, 1, 2, 1)
    np.testing.assert_allclose(numpy(Enlarge(2)(x))[0, :, :, 0], [[0, 1, 3, 4]] * 2)
    with pytest.raises(ValueError, match="`factor` must be"):
        Enlarge(0)


def test_centre_bias_is_a_gaussian_at_any_size():
    layer = CentreBias(0.2)
    for height, width in ((11, 21), (40, 8)):
        found = numpy(layer(np.zeros((1, height, width, 1), "float32")))[0, :, :, 0]
        y = (np.arange(height) + 0.5)[:, None] / height - 0.5
        x = (np.arange(width) + 0.5)[None] / width - 0.5
        np.testing.assert_allclose(found, -(x**2 + y**2) / (2 * 0.2**2), atol=1e-5)


def test_log_density_and_its_temperature():
    x = RNG.normal(0, 30, (2, 3, 6, 9, 1)).astype("float32")
    layer = LogDensity()
    found = numpy(layer(x)).astype("float64")
    np.testing.assert_allclose(np.exp(found).sum((-1, -2)), 1.0, rtol=1e-4)
    layer.temperature.assign([2.0])
    half = numpy(layer(x)).astype("float64")
    difference = (half - found / 2)[0, 0]  # the constant that normalises the sum to 1
    np.testing.assert_allclose(difference, difference[0, 0], atol=1e-4)
    assert np.isfinite(numpy(layer(np.full((1, 2, 2, 1), 1e30, "float32")))).all()


def test_memory_of_any_scale_and_none():
    now = np.log(np.full((1, 2, 2), 0.25, "float32"))
    past = np.array([[[0.0, 0.0], [0.0, 5.0]]], "float32")
    found = np.exp(numpy(DensityMemory(0.4)([now, past])))
    np.testing.assert_allclose(found[0], [[0.15, 0.15], [0.15, 0.55]], rtol=1e-5)
    nothing = numpy(DensityMemory(0.4)([now, np.zeros_like(past)]))
    np.testing.assert_allclose(nothing, now, rtol=1e-5)


def test_brightness_at_another_size():
    import cv2

    frames = RNG.uniform(0, 255, (1, 2, 24, 36, 3)).astype("float32")
    for size in ((6, 9), (5, 7), (24, 36)):
        found = numpy(FrameBrightness()([frames, np.zeros((1, 2, *size), "float32")]))
        for t in range(2):
            expected = cv2.resize(frames[0, t].mean(-1), size[::-1], interpolation=cv2.INTER_AREA)
            np.testing.assert_allclose(found[0, t], expected + 1, rtol=1e-4)


def test_earlier():
    x = np.arange(1.0, 6.0, dtype="float32")[None]
    assert numpy(Earlier(2)(x)).tolist() == [[0, 0, 1, 2, 3]]
    assert numpy(Earlier(9)(x)).tolist() == [[0] * 5]
    with pytest.raises(ValueError, match="`steps` must be"):
        Earlier(0)


def test_windows_last_equally_long_at_every_frame_rate():
    assert [PastDensity(10, rate).frames for rate in (None, 30, 60, 25, 1)] == [10, 10, 20, 8, 1]
    assert PastDensity(10, 1000).frames == 80  # as at 240 frames per second
    x = np.arange(1.0, 6.0, dtype="float32")[None]
    assert numpy(Earlier(1, 60)(x)).tolist() == [[0, 0, 1, 2, 3]]
    assert numpy(TrailingMean(1, 60)(x)).tolist() == [[0.5, 1.5, 2.5, 3.5, 4.5]]
    for layer in (Earlier, TrailingMean):
        with pytest.raises(ValueError, match="`frame_rate` must be positive"):
            layer(3, 0)
        copy = layer.from_config(layer(3, 60).get_config())
        assert (copy.frames, copy.frame_rate) == (6, 60)


def test_motion_attracts_the_density_and_a_still_picture_does_not():
    density = RNG.uniform(0.5, 1.5, (1, 3, 12, 16)).astype("float32")
    density = np.log(density / density.sum((-1, -2), keepdims=True))
    brightness = np.full((1, 3, 12, 16), 100.0, "float32")
    brightness[0, 1:, 2:4, 12:14] = 200.0  # a square appears in frame 1 and remains
    before = numpy(Earlier(1)(brightness))
    layer = MotionMixture(0.3, sigma=0.05, power=0.25)
    found = numpy(layer([density, brightness, before]))
    np.testing.assert_allclose(np.exp(found).sum((-1, -2)), 1.0, rtol=1e-4)
    np.testing.assert_allclose(found[:, [0, 2]], density[:, [0, 2]], atol=1e-3)
    gained = np.exp(found[0, 1]) - np.exp(density[0, 1])
    assert gained[1:5, 11:15].sum() > 0.15
    assert gained[6:, :8].max() < 0
    panned = numpy(layer([density, brightness + 30 * (before > 0), before]))
    np.testing.assert_allclose(panned[:, 2], density[:, 2], atol=1e-3)  # the whole frame changes
    for wrong in ({"share": 1.0}, {"power": -1}, {"sigma": 0}, {"spread": 0}):
        with pytest.raises(ValueError, match="must be"):
            MotionMixture(**wrong)


def test_spread_out_densities_of_a_video_are_drawn_to_the_centre():
    rows, columns = np.mgrid[:24, :32].astype("float64")
    spread = RNG.uniform(0.5, 1.5, (24, 32))
    compact = 1e-6 + np.exp(-0.5 * ((rows - 4) ** 2 + (columns - 6) ** 2) / 4)
    density = np.stack([spread, spread, compact])[None]
    density /= density.sum((-1, -2), keepdims=True)
    earlier = np.stack([np.zeros((24, 32)), *np.ones((2, 24, 32))])[None]
    found = np.exp(numpy(VideoCentreBias()([np.log(density).astype("float32"), earlier])))
    gaussian = np.exp(
        -0.5 * (((rows + 0.5) / 24 - 0.46) / 0.18) ** 2
        - 0.5 * (((columns + 0.5) / 32 - 0.51) / 0.22) ** 2
    )
    gaussian /= gaussian.sum()
    divergence = (density * np.log(density * 24 * 32)).sum((-1, -2))[0]
    assert divergence[1] < 0.2 and divergence[2] > 2
    power = 0.5 / (1 + np.exp((divergence[1] - 0.8) / 0.1))
    drawn = density[0, 1] * gaussian**power
    expected = [spread / spread.sum()]  # the first frame of a video
    expected += [0.95 * drawn / drawn.sum() + 0.05 * gaussian]
    expected += [0.95 * density[0, 2] + 0.05 * gaussian]
    np.testing.assert_allclose(found[0], expected, rtol=2e-3, atol=1e-9)
    for side, weight in ((1920, 0.05), (720, 0.05 / 0.72**3), (416, 0.6), (64, 0.6)):
        small = np.exp(
            numpy(VideoCentreBias(video_side=side)([np.log(density).astype("float32"), earlier]))
        )
        expected = (1 - weight) * density[0, 2] + weight * gaussian
        np.testing.assert_allclose(small[0, 2], expected, rtol=2e-3, atol=1e-9)
        np.testing.assert_allclose(small[0, 0], spread / spread.sum(), rtol=2e-3)
    assert VideoCentreBias(share=0.7, video_side=64).weight == 0.7
    for wrong in ({"strength": -1}, {"softness": 0}, {"share": 1.0}, {"video_side": 0}):
        with pytest.raises(ValueError, match="must be"):
            VideoCentreBias(**wrong)


@pytest.mark.parametrize(("side", "sigma"), [(416, 0.034974), (720, 0.015421), (64, 0.05)])
def test_gaze_scatters_in_small_videos(side, sigma):
    density = RNG.uniform(size=(2, 3, 18, 32)) ** 8
    density /= density.sum((-1, -2), keepdims=True)
    given = np.log(density).astype("float32")
    found = np.exp(numpy(GazeScatter(16, video_side=side)(given)))
    for blurred, each in zip(found.reshape(-1, 18, 32), density.reshape(-1, 18, 32)):
        expected, weights = (
            scipy.ndimage.gaussian_filter(m, 32 * sigma, mode="constant", truncate=9)
            for m in (each, np.ones_like(each))
        )
        expected = expected / weights
        np.testing.assert_allclose(blurred, expected / expected.sum(), rtol=5e-3)
    for unchanged in (GazeScatter(16), GazeScatter(16, video_side=1920), GazeScatter(0, 64)):
        np.testing.assert_array_equal(numpy(unchanged(given)), given)
    for wrong in ({"pixels": -1}, {"video_side": 0}):
        with pytest.raises(ValueError, match="must be"):
            GazeScatter(**wrong)


def test_log_mass_of_places():
    density = RNG.uniform(size=(2, 6, 8)).astype("float32")
    density /= density.sum((-1, -2), keepdims=True)
    found = np.exp(numpy(PlaceLogMass(2)(np.log(density))))[..., 0] / 12
    np.testing.assert_allclose(found, density.reshape(2, 3, 2, 4, 2).sum((2, 4)), rtol=1e-4)
    with pytest.raises(ValueError, match="`block` must be"):
        PlaceLogMass(0)


def test_map_mixture_keeps_mean_and_covariance():
    density = RNG.uniform(size=(2, 3, 24, 40)) ** 8
    density /= density.sum((-1, -2), keepdims=True)
    mixture = numpy(MapMixture(6, 8, min_sigma=1e-3)(np.log(density).astype("float32")))
    assert mixture.shape == (2, 3, 48, 6)
    weight = np.exp(mixture[..., 0])
    np.testing.assert_allclose(weight.sum(-1), 1.0, rtol=1e-4)
    x, y = (np.arange(40) + 0.5) / 40, (np.arange(24) + 0.5) / 24
    for axis, place, marginal in ((1, x, density.sum(-2)), (2, y, density.sum(-1))):
        mean = (marginal * place).sum(-1)
        variance = (marginal * place**2).sum(-1) - mean**2
        found = (weight * mixture[..., axis]).sum(-1)
        np.testing.assert_allclose(found, mean, rtol=1e-4)
        second = weight * (mixture[..., axis] ** 2 + np.exp(2 * mixture[..., axis + 2]))
        np.testing.assert_allclose(second.sum(-1) - found**2, variance, rtol=1e-3)


def test_map_mixture_reproduces_the_map():
    y, x = np.mgrid[:48, :64]
    blob = np.exp(-((x - 40) ** 2 + (y - 12) ** 2) / 50.0) + 1e-6
    blob /= blob.sum()
    mixture = MapMixture()(np.log(blob)[None].astype("float32"))
    again = numpy(mixture_map(mixture, 48, 64))[0]
    assert np.corrcoef(again.ravel(), blob.ravel())[0, 1] > 0.95


def test_cross_entropy_is_the_mean_log_density_at_fixations():
    counts = np.zeros((2, 3, 4), "float32")
    counts[0, 1, 2], counts[0, 0, 0] = 3, 1
    log_density = np.log(RNG.dirichlet(np.ones(12), 2).reshape(2, 3, 4)).astype("float32")
    expected = -(3 * log_density[0, 1, 2] + log_density[0, 0, 0]) / 4
    found = numpy(density_cross_entropy(counts, log_density))
    np.testing.assert_allclose(found, [expected, 0.0], rtol=1e-5)
    more = DensityCrossEntropy(nss=0.5, cc=0.5, kl=0.5)(counts[:1], log_density[:1])
    assert float(more) != pytest.approx(float(expected))
    with pytest.raises(ValueError, match="0 or more"):
        DensityCrossEntropy(kl=-1.0)
