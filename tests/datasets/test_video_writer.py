from __future__ import annotations

import av
import numpy as np
import pytest

from zoo.datasets.video.reading import open_video
from zoo.datasets.video.writer import VideoWriter


def test_odd_sizes_repeat_the_last_row_and_column(tmp_path):
    ramp = np.linspace(20, 235, 33 * 47).reshape(33, 47, 1).astype(np.uint8).repeat(3, axis=2)
    with VideoWriter(tmp_path / "sub" / "a.mp4", fps=29.97, height=33, width=47) as writer:
        for _ in range(5):
            writer.write(ramp)
    video = open_video(tmp_path / "sub" / "a.mp4")
    assert (video.height, video.width, video.num_frames) == (34, 48, 5)
    assert video.fps == pytest.approx(29.97, abs=1e-3)
    error = video.read([4])[0][:33, :47].astype(float) - ramp
    assert np.abs(error).mean() < 4


def test_an_error_leaves_no_file(tmp_path):
    with (
        pytest.raises(ValueError, match="frame"),
        VideoWriter(tmp_path / "a.mp4", fps=25, height=32, width=32) as writer,
    ):
        writer.write(np.zeros((32, 32, 3), np.uint8))
        writer.write(np.zeros((32, 31, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path):
    (tmp_path / "a.mp4").write_text("old")
    with (
        pytest.raises(KeyboardInterrupt),
        VideoWriter(tmp_path / "a.mp4", fps=25, height=32, width=32) as writer,
    ):
        writer.write(np.zeros((32, 32, 3), np.uint8))
        raise KeyboardInterrupt
    assert (tmp_path / "a.mp4").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_times_and_shape_are_kept(tmp_path):
    times = [0.0, 0.04, 0.5, 0.501, 3.0]
    with VideoWriter(
        tmp_path / "a.mp4", fps=25, height=32, width=32, times=times, sample_aspect=64 / 45
    ) as writer:
        for number in range(5):
            writer.write(np.full((32, 32, 3), 50 * number, np.uint8))
    video = open_video(tmp_path / "a.mp4")
    np.testing.assert_allclose(video.source_times, times, atol=1e-4)
    assert video.index.end == pytest.approx(3.04, abs=1e-3)
    assert float(video.sample_aspect) == pytest.approx(64 / 45, abs=1e-3)
    assert [round(float(frame.mean()) / 50) for frame in video.frames()] == [0, 1, 2, 3, 4]


def test_a_film_with_a_gap_lasts_until_the_end_of_its_last_frame(tmp_path):
    times = [number / 25 + 8 * (number > 27) for number in range(30)]  # 30 frames over 9.2 s
    with VideoWriter(tmp_path / "a.mp4", fps=25, height=32, width=32, times=times) as writer:
        for number in range(30):
            ramp = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
            writer.write(np.roll(ramp, number, 1))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.duration / 1e6 == pytest.approx(9.2, abs=0.01)
        assert len(list(container.decode(video=0))) == 30
