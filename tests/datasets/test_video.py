from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video
from tests.real_data import data_dir
from zoo.datasets import video_source
from zoo.datasets.video import VideoError, open_video

COUNTS = {
    "v_SoccerJuggling_g23_c01": 240,
    "v_ApplyEyeMakeup_g01_c01": 164,
    "RATRACE": 72,
    "R6llTwEh07w": 303,
    "arm_wrestling_demo": 280,
    "flipping_a_pancake": 310,
}


def test_frames_in_order_and_at_random(tmp_path):
    video = open_video(numbered_video(tmp_path / "a.mp4", 40))
    assert (video.num_frames, video.fps, video.height, video.width) == (40, 25.0, 32, 64)
    assert [number_of(frame) for frame in video.frames()] == list(range(40))
    assert [number_of(frame) for frame in video.frames(start=7, stop=11)] == [7, 8, 9, 10]
    wanted = [31, 2, 2, 39, 0]
    assert [number_of(frame) for frame in video.read(wanted)] == wanted
    assert video.read([], (8, 8)).shape == (0, 8, 8, 3)
    for bad in ([40], [-1]):
        with pytest.raises(IndexError, match=r"\[0, 40\)"):
            open_video(tmp_path / "a.mp4").read(bad)


@pytest.mark.parametrize("fps, expected", [(12.5, range(0, 40, 2)), (50, np.arange(80) // 2)])
def test_wanted_frame_rate(tmp_path, fps, expected):
    video = open_video(numbered_video(tmp_path / "a.mp4", 40), fps=fps)
    assert video.fps == fps and video.num_frames == len(expected)
    assert [number_of(frame) for frame in video.frames()] == list(expected)
    assert number_of(video.read([11])[0]) == expected[11]


def test_a_part_of_a_video(tmp_path):
    video = open_video(numbered_video(tmp_path / "a.mp4", 40), start=0.4, end=0.8)
    assert [number_of(frame) for frame in video.frames()] == list(range(10, 20))
    with pytest.raises(VideoError, match="inside the video"):
        _ = open_video(tmp_path / "a.mp4", start=9.0).num_frames


def test_folder_of_frames(tmp_path):
    for number in range(5):
        name = f"shot_2_{number + 3:04d}.{'jpg' if number == 2 else 'png'}"
        cv2.imwrite(str(tmp_path / name), np.full((9, 7, 3), 40 * number, np.uint8))
    video = open_video(tmp_path)
    assert (video.num_frames, video.height, video.width) == (5, 9, 7)
    assert [round(float(frame.mean()) / 40) for frame in video.frames()] == [0, 1, 2, 3, 4]
    (tmp_path / "shot_2_0004.png").unlink()
    with pytest.raises(VideoError, match=r"1 missing: \[4\]"):
        open_video(tmp_path)
    cv2.imwrite(str(tmp_path / "shot_2_0004.png"), np.zeros((9, 8, 3), np.uint8))
    with pytest.raises(VideoError, match="one size"):
        list(open_video(tmp_path).frames())


def test_bad_files_name_themselves(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video\n" * 99)
    whole = numbered_video(tmp_path / "whole.mp4", 30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 4 // 5])
    (tmp_path / "folder").mkdir()
    for name in ("empty.mp4", "text.mp4", "folder", "none.mp4"):
        with pytest.raises(VideoError, match=name.replace(".", r"\.")):
            open_video(tmp_path / name)
    with pytest.raises(VideoError, match=r"cut\.mp4"):
        list(open_video(tmp_path / "cut.mp4").frames())
    with pytest.raises(VideoError, match=r"cut\.mp4"):
        _ = open_video(tmp_path / "cut.mp4").num_frames
    part = open_video(tmp_path / "cut.mp4", allow_truncated=True)
    assert 0 < part.num_frames < 30


def clips():
    folder = video_source.Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"
    return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))


@pytest.mark.parametrize("name", clips() or ["ucf101"])
def test_random_access_is_exact_on_real_clips(name, monkeypatch):
    path = data_dir("clips", name)
    video = open_video(path)
    whole = np.stack(list(video.frames((40, 56))))
    expected = next(count for start, count in COUNTS.items() if start in name)
    assert len(whole) == video.num_frames == expected
    draws = np.random.default_rng(0).integers(0, expected, 8)
    np.testing.assert_array_equal(video.read(draws, (40, 56)), whole[draws])
    monkeypatch.setattr(video_source, "SEEK_GAP", 0)  # every frame by a seek
    for draw in draws[:4]:
        np.testing.assert_array_equal(video.read([draw], (40, 56))[0], whole[draw])


def test_a_real_file_that_ends_early(tmp_path):
    data = data_dir("clips", "ucf101", "v_SoccerJuggling_g23_c01.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match="121 frames of 240"):
        _ = open_video(tmp_path / "cut.avi").num_frames
