"""TV-L1 on known motions, and compared with OpenCV-contrib if that is installed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy import ndimage

from tests.real_data import data_dir
from zoo.datasets.video.reading import open_video
from zoo.layers import TVL1Flow, median_filter_5x5, tvl1_function

CLIPS = ["ucf101/v_SoccerJuggling_g23_c01.avi", "kinetics/arm_wrestling_demo.mp4"]


@pytest.fixture(scope="module")
def flow_112():
    return tvl1_function((112, 112), scales=3)  # fewer levels compile faster


def _texture(rng, size):
    noise = ndimage.gaussian_filter(rng.normal(size=(size, size)), 2)
    return ((noise - noise.min()) / np.ptp(noise) * 255).astype("float32")


def test_median_equals_scipy():
    images = np.random.default_rng(0).normal(size=(2, 9, 13)).astype("float32")
    expected = [ndimage.median_filter(image, 5, mode="nearest") for image in images]
    np.testing.assert_array_equal(median_filter_5x5(images), expected)


def test_known_shifts(flow_112):
    rng = np.random.default_rng(0)
    shifts = [(1.0, 0.0), (0.0, -2.0), (3.5, 1.5)]  # right, down
    first = [_texture(rng, 112) for _ in shifts]
    second = [
        ndimage.shift(a, (dy, dx), order=3, mode="nearest") for a, (dx, dy) in zip(first, shifts)
    ]
    flow = flow_112(np.stack(first), np.stack(second))
    assert flow.shape == (3, 112, 112, 2) and flow.dtype == np.float32
    inner = flow[:, 16:-16, 16:-16]
    for field, shift in zip(inner, shifts):
        assert np.hypot(*(field - shift).T).mean() < 0.05


def test_a_still_pair_has_no_flow_and_batches_are_independent(flow_112):
    rng = np.random.default_rng(1)
    a, b = _texture(rng, 112), _texture(rng, 112)
    flow = flow_112(
        np.stack([a, b, np.zeros_like(a)]), np.stack([a, np.roll(b, 1, 1), np.zeros_like(a)])
    )
    assert np.abs(flow[0]).max() < 1e-3 and np.abs(flow[2]).max() == 0
    again = flow_112(np.stack([b, b, b]), np.stack([np.roll(b, 1, 1)] * 3))
    np.testing.assert_allclose(again[2], flow[1], atol=1e-3)


def _consistent(forward, backward):
    """Where following the flow forward and back ends within half a pixel of the start."""
    rows, columns = np.mgrid[: forward.shape[0], : forward.shape[1]].astype("float32")
    x, y = columns + forward[..., 0], rows + forward[..., 1]
    back = cv2.remap(backward, x, y, cv2.INTER_LINEAR, borderValue=(99.0, 99.0))
    return np.hypot(*(forward + back).transpose(2, 0, 1)) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("clip", CLIPS)
def test_agrees_with_opencv_contrib_on_real_clips(clip):
    if not hasattr(cv2, "optflow"):
        pytest.skip("opencv-contrib-python is not installed (it has DualTVL1OpticalFlow)")
    flow_112 = tvl1_function((112, 112))
    method = cv2.optflow.DualTVL1OpticalFlow_create()
    path = data_dir("clips", *clip.split("/"))
    frames = open_video(path).read([10, 11, 30, 31, 50, 51], size=(112, 112))
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    first, second = grey[0::2], grey[1::2]
    ours, ours_back = flow_112(first, second), flow_112(second, first)
    differences = []
    for a, b, f, g in zip(first, second, ours, ours_back):
        theirs, theirs_back = method.calc(a, b, None), method.calc(b, a, None)
        confident = _consistent(f, g) & _consistent(theirs, theirs_back)
        assert confident.mean() > 0.5
        differences.append(np.hypot(*(f - theirs)[confident].T))
    assert np.concatenate(differences).mean() < 0.15


def test_layer_takes_colour_videos_of_any_length():
    layer = TVL1Flow(scales=1, warps=1, inner=2)
    video = np.random.default_rng(0).uniform(0, 255, (2, 4, 20, 24, 3)).astype("float32")
    flow = np.asarray(layer(video))
    assert flow.shape == (2, 3, 20, 24, 2) == layer.compute_output_shape(video.shape)
    grey = (video * np.array([0.299, 0.587, 0.114], "float32")).sum(-1, keepdims=True)
    np.testing.assert_allclose(layer(grey[1:, 1:3])[0, 0], flow[1, 1], atol=1e-3)
    assert TVL1Flow.from_config(layer.get_config()).options == layer.options


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="`warps`"):
        TVL1Flow(warps=0)
    with pytest.raises(ValueError, match="the same shape"):
        from zoo.layers import tvl1_flow

        tvl1_flow(np.zeros((1, 20, 20)), np.zeros((1, 20, 21)))
