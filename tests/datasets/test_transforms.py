from __future__ import annotations

import numpy as np
import pytest

from zoo.datasets.samples.transforms import Colour, Crop, HorizontalFlip, MultiScaleCrop
from zoo.datasets.video.aligned import aligned_empty


def sample(height=40, width=60):
    """A bright pixel block that fixation, box and flow agree on."""
    rgb = np.zeros((2, height, width, 3), np.uint8)
    rgb[:, 18:22, 12:16] = 250
    fixations = np.full((2, 3, 2), np.nan, np.float32)
    fixations[:, 0] = 14 / width, 20 / height
    flow = np.zeros((2, height, width, 2), np.float32)
    flow[:, 18:22, 12:16] = 3, 2
    boxes = np.tile(np.array([12.0, 18, 4, 4]), (2, 1))
    return {"rgb": rgb, "fixations": fixations, "flow": flow, "boxes": boxes}


def agree(held):
    height, width = held["rgb"].shape[1:3]
    x, y = held["fixations"][0, 0]
    row, column = int(y * height), int(x * width)
    assert held["rgb"][0, row, column].min() > 200
    left, top, across, down = held["boxes"][0]
    assert left <= x * width <= left + across and top <= y * height <= top + down
    assert np.abs(held["flow"][0, row, column]).min() > 0


def test_a_flip_mirrors_frames_gaze_boxes_and_flow():
    before = sample()
    after = HorizontalFlip(1.0)(before, np.random.default_rng(0))
    agree(after)
    np.testing.assert_allclose(after["fixations"][0, 0], [46 / 60, 0.5], rtol=1e-6)
    np.testing.assert_array_equal(after["boxes"][0], [44, 18, 4, 4])
    assert after["flow"][0, 20, 46].tolist() == [-3, 2]
    assert np.isnan(after["fixations"][:, 1:]).all()
    back = HorizontalFlip(1.0)(after, np.random.default_rng(0))
    for name, value in before.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-6)
    assert HorizontalFlip(0.0)(before, np.random.default_rng(0)) is before


def test_a_crop_applies_to_gaze_boxes_and_flow():
    kept = 0
    for seed in range(20):
        after = Crop((0.5,))(sample(), np.random.default_rng(seed))
        assert after["rgb"].shape == (2, 40, 60, 3) and after["rgb"].dtype == np.uint8
        if np.isfinite(after["fixations"][0, 0]).all():
            agree(after)
            kept += 1
            assert after["flow"].max() == pytest.approx(6, abs=0.5)
            np.testing.assert_allclose(after["boxes"][0, 2:], 8)
    assert 0 < kept < 20


def test_a_multi_scale_crop_also_crops_gaze_boxes_and_flow():
    shapes, kept = set(), 0
    for seed in range(60):
        after = MultiScaleCrop((1.0, 0.75, 0.5))(sample(), np.random.default_rng(seed))
        assert after["rgb"].shape == (2, 40, 60, 3) and after["rgb"].dtype == np.uint8
        width, height = after["boxes"][0, 2:] / 4
        shapes.add((round(60 / width), round(40 / height)))
        if np.isfinite(after["fixations"][0, 0]).all():
            agree(after)
            kept += 1
    widths, heights = (60, 45, 30), (40, 30, 20)
    near = {(widths[i], heights[j]) for i in range(3) for j in range(3) if abs(i - j) < 2}
    assert shapes == near and 0 < kept < 60


def test_a_multi_scale_crop_of_one_scale_keeps_the_aspect_ratio():
    after = MultiScaleCrop((0.5,))(sample(), np.random.default_rng(0))
    np.testing.assert_allclose(after["boxes"][0, 2:], 8)


def test_colour_changes_all_frames_alike():
    before = sample()
    before["rgb"][:] = np.random.default_rng(1).integers(0, 255, before["rgb"].shape[1:])
    after = Colour()(before, np.random.default_rng(0))["rgb"]
    np.testing.assert_array_equal(after[0], after[1])
    assert after.dtype == np.uint8
    assert np.corrcoef(after.ravel(), before["rgb"].ravel())[0, 1] > 0.99
    assert not np.array_equal(after, before["rgb"])
    still = Colour(0, 0)(before, np.random.default_rng(0))["rgb"]
    np.testing.assert_array_equal(still, before["rgb"])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: HorizontalFlip(2),
        lambda: Colour(-1),
        lambda: Crop(()),
        lambda: Crop((2,)),
        lambda: MultiScaleCrop((0,)),
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match="Received"):
        wrong()


def test_frames_start_where_tensorflow_need_not_copy_them():
    for transform in (HorizontalFlip(1.0), Crop((0.5,)), MultiScaleCrop((0.5,)), Colour()):
        for seed in range(5):
            after = transform(sample(39, 57), np.random.default_rng(seed))
            assert after["rgb"].ctypes.data % 64 == 0, transform
    for shape, dtype in (((1, 3), "uint8"), ((5, 7), "float32"), ((3,), "int64")):
        array = aligned_empty(shape, dtype)
        assert array.ctypes.data % 64 == 0 and array.flags.writeable and array.flags.c_contiguous
        assert array.shape == shape and array.dtype == dtype
    assert aligned_empty((0, 3), "uint8").shape == (0, 3)
