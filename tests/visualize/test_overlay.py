import numpy as np
import pytest

from zoo.visualize.overlay import overlay


def test_overlay_is_transparent_at_low_and_coloured_at_high_saliency():
    frame = np.full((40, 60, 3), 100, np.uint8)
    saliency = np.zeros((10, 15), np.float32)
    saliency[5, 7] = 2e-6
    drawn = overlay(frame, saliency)
    assert drawn.shape == frame.shape
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn[0, 0], [100, 100, 100])
    red, green, blue = drawn[22, 30].astype(int)
    assert red > blue
    assert (red, green, blue) != (100, 100, 100)


def test_a_zero_map_does_not_change_the_frame():
    frame = np.random.default_rng(0).integers(0, 255, (9, 11, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(frame, np.zeros((9, 11))), frame)


def test_marks_are_drawn_on_a_copy():
    frame = np.zeros((50, 50, 3), np.uint8)
    drawn = overlay(
        frame,
        np.zeros((50, 50)),
        candidates=np.array([[0.5, 0.5, 1.0]]),
        fixations=np.array([[0.1, 0.1], [np.nan, np.nan]]),
    )
    assert frame.max() == 0
    assert drawn[5, 5].tolist() == [255, 255, 255]
    assert drawn.sum() > drawn[5, 5].sum()


def test_bad_strength():
    with pytest.raises(ValueError, match="`strength` must be between"):
        overlay(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), strength=2)
