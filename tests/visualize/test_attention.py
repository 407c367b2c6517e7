import cv2
import numpy as np
import pytest

from zoo.datasets.video.reading import open_video
from zoo.visualize.attention import (
    attention_picture,
    temporal_curve,
    temporal_strip,
    write_attention,
)

FRAMES = np.full((6, 32, 48, 3), 90, np.uint8)


def test_picture_shows_the_attended_place_and_leaves_others_as_they_are():
    spatial = np.zeros((6, 4, 4))
    spatial[:, 0, 0] = 1.0
    picture = attention_picture(FRAMES, spatial, columns=3)
    assert picture.shape == (64, 144, 3)
    heat = picture[32:, :48]
    assert np.abs(heat[:6, :6].astype(int) - 90).max() > 40
    np.testing.assert_array_equal(heat[20:, 30:], 90)


def test_a_frame_with_less_attention_is_drawn_fainter():
    spatial = np.ones((6, 4, 4))
    spatial[0] = 0.1
    picture = attention_picture(FRAMES, spatial, columns=6).astype(int)
    faint, strong = (np.abs(picture[32:, at : at + 48] - 90).mean() for at in (0, 240))
    assert faint < 0.3 * strong


def test_temporal_strip_and_curve():
    strip = temporal_strip(np.array([0.0, 0.5, 0.25]), 30)
    np.testing.assert_array_equal(strip[0, ::10, 0], [0, 255, 128])
    curve = temporal_curve(np.eye(4)[[1, 1]], segments=[(0.0, 0.5)], size=(100, 200))
    assert (curve[4, 50] == (42, 120, 214)).all() and (curve[4, 150] == 252).all()
    dark = np.argwhere(curve[24:].sum(axis=2) < 120)
    assert abs(dark[dark[:, 0].argmin(), 1] - 0.375 * 199) < 4  # the peak is at the second frame


def test_boxes_are_drawn():
    boxes = np.full((6, 4), np.nan)
    boxes[0] = [4, 5, 10, 8]
    picture = attention_picture(FRAMES, boxes=boxes, columns=6)
    assert (picture[5, 4] == (42, 120, 214)).all()
    np.testing.assert_array_equal(picture[:, 48:], 90)


def test_files(tmp_path):
    outputs = {"spatial_attention": np.ones((6, 4, 4)), "temporal_attention": np.eye(6)[:3]}
    paths = write_attention(tmp_path / "out", FRAMES, outputs)
    assert [path.name for path in paths] == ["attention.mp4", "attention.png", "when.png"]
    film = open_video(paths[0])
    assert (film.num_frames, film.height, film.width) == (6, 46, 48)
    assert cv2.imread(str(paths[1])).shape == (78, 288, 3)
    with pytest.raises(ValueError, match="'spatial_attention' or"):
        write_attention(tmp_path, FRAMES, {"action": np.zeros(3)})
    with pytest.raises(ValueError, match="one entry per frame"):
        attention_picture(FRAMES, np.ones((5, 4, 4)))
