from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video
from tests.real_data import data_dir
from zoo.datasets.video import file_source, resizing
from zoo.datasets.video.reading import VideoError, open_video

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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": (0, 8)}, "`size` must be"),
        ({"size": (8, 8, 3)}, "`size` must be"),
        ({"start": -1}, "`start` must be 0 or more"),
        ({"start": 3, "stop": 2}, "start=3, stop=2"),
    ],
)
def test_arguments_are_checked_before_the_first_frame(tmp_path, wrong, message):
    video = open_video(numbered_video(tmp_path / "a.mp4", 4))
    with pytest.raises(ValueError, match=message):
        video.frames(**wrong)
    if "size" in wrong:
        with pytest.raises(ValueError, match=message):
            video.read([0], **wrong)


@pytest.mark.parametrize("fps, expected", [(12.5, range(0, 40, 2)), (50, np.arange(80) // 2)])
def test_sampling_at_a_frame_rate(tmp_path, fps, expected):
    video = open_video(numbered_video(tmp_path / "a.mp4", 40), fps=fps)
    assert video.fps == fps and video.num_frames == len(expected)
    assert [number_of(frame) for frame in video.frames()] == list(expected)
    assert number_of(video.read([11])[0]) == expected[11]


def test_a_part_of_a_video(tmp_path):
    video = open_video(numbered_video(tmp_path / "a.mp4", 40), start=0.4, end=0.8)
    assert [number_of(frame) for frame in video.frames()] == list(range(10, 20))
    with pytest.raises(VideoError, match="inside the video"):
        _ = open_video(tmp_path / "a.mp4", start=9.0).num_frames


def varying(path, stamps, rotate=False):
    """A video with frame i at `stamps[i]` milliseconds; `rotate`: tagged as rotated by 90."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "0", "g": "4", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, stamp in enumerate(stamps):
            bits = np.repeat([255 * (number >> bit & 1) for bit in range(8)], 8)
            rgb = np.broadcast_to(bits[None, :, None], (32, 64, 3)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if rotate:
        data = bytearray(path.read_bytes())
        at = data.index(b"tkhd") + 44
        matrix = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 32 << 16, 0, 1 << 30)
        data[at : at + 36] = matrix
        path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_variable_frame_rate_video_uses_time_stamps(tmp_path, kind, monkeypatch):
    steps = np.random.default_rng(3).choice([20, 40, 40, 120, 300], 59)
    stamps = np.append(0, np.cumsum(steps))
    path = varying(tmp_path / f"a.{kind}", stamps.tolist())
    video = open_video(path)
    assert video.num_frames == 60
    np.testing.assert_allclose(video.source_times, stamps / 1000, atol=1.1e-3)
    assert [number_of(frame) for frame in video.frames()] == list(range(60))
    even = open_video(path, fps=20)
    moments = np.arange(even.num_frames) * 50
    wanted = np.searchsorted(np.round(video.source_times * 1000), moments, side="right") - 1
    assert [number_of(frame) for frame in even.frames()] == wanted.tolist()
    assert (
        0 <= even.num_frames - stamps[-1] / 50 <= 3
    )  # the duration of the last frame is not stated
    part = open_video(path, start=stamps[10] / 1000, end=stamps[20] / 1000)
    assert [number_of(frame) for frame in part.frames()] == list(range(10, 20))
    monkeypatch.setattr(file_source, "SEEK_GAP", 0)
    for draw in (55, 3, 31, 59, 0, 12):
        assert number_of(video.read([draw])[0]) == draw


def test_a_rotated_video_is_decoded_upright(tmp_path):
    video = open_video(varying(tmp_path / "a.mp4", range(0, 800, 40), rotate=True))
    assert (video.num_frames, video.height, video.width) == (20, 64, 32)
    turned = [np.rot90(frame) for frame in video.frames()]
    assert [number_of(frame) for frame in turned] == list(range(20))
    assert number_of(np.rot90(video.read([13])[0])) == 13
    assert video.read([13], (32, 16)).shape == (1, 32, 16, 3)


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
    with pytest.raises(VideoError, match="the same size"):
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
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"
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
    monkeypatch.setattr(file_source, "SEEK_GAP", 0)  # every frame by a seek
    for draw in draws[:4]:
        np.testing.assert_array_equal(video.read([draw], (40, 56))[0], whole[draw])


def test_a_truncated_real_file(tmp_path):
    data = data_dir("clips", "ucf101", "v_SoccerJuggling_g23_c01.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match="121 frames of 240"):
        _ = open_video(tmp_path / "cut.avi").num_frames


def test_resizing():
    picture = np.random.default_rng(0).integers(0, 256, (40, 64, 3), dtype=np.uint8)
    blocks = picture.reshape(10, 4, 16, 4, 3).mean((1, 3))
    np.testing.assert_allclose(resizing.resize(picture, (10, 16)), blocks, atol=1.1)
    assert resizing.resize(picture, (40, 64)) is picture
    # Sides that are odd and twice as large: every pixel is used, none is skipped.
    striped = np.zeros((45, 45, 3), np.uint8)
    striped[::3] = 240
    np.testing.assert_allclose(resizing.resize(striped, (5, 5)), 80, atol=1)
    # At any other size, no coordinate is shifted: a ramp stays the same ramp.
    ramp = np.tile(np.arange(0, 240, dtype=np.uint8)[None, :, None], (8, 1, 3))
    for width in (90, 100, 160, 480):
        found = resizing.resize(ramp, (8, width))[0, :, 0].astype(float)
        wanted = (np.arange(width) + 0.5) * 240 / width - 0.5
        np.testing.assert_allclose(found[4:-4], wanted[4:-4], atol=1)


def test_resized_frames_are_the_same_frames(tmp_path):
    path = numbered_video(tmp_path / "a.mp4", 40)
    video = open_video(path)
    for size in ((16, 32), (32, 64), (24, 40)):
        expected = [resizing.resize(frame, size) for frame in video.frames()]
        for _ in range(2):  # the last opened file is reused only once
            np.testing.assert_array_equal(list(video.frames(size)), expected)
        wanted = [31, 2, 2, 39, 0]
        np.testing.assert_array_equal(video.read(wanted, size), [expected[i] for i in wanted])
    other = open_video(path, fps=50)  # every frame twice
    assert [number_of(frame) for frame in other.frames((16, 32))][:6] == [0, 0, 1, 1, 2, 2]
    for number, frame in enumerate(video.frames((16, 32))):  # closed before its end
        if number == 3:
            assert number_of(frame) == 3
            break


def test_known_time_stamps_avoid_a_scan(tmp_path, monkeypatch):
    path = numbered_video(tmp_path / "a.mp4", 40)
    stamps = open_video(path).stamps
    wanted = open_video(path, fps=10).read(range(16), (32, 64))
    file_source.forget()
    monkeypatch.setattr(file_source.FileSource, "_pass", lambda self: pytest.fail("it passes"))
    video = open_video(path, fps=10, stamps=stamps)
    assert video.num_frames == 16
    np.testing.assert_array_equal(video.read(range(16), (32, 64)), wanted)


@pytest.mark.parametrize("error", [VideoError, OSError])
@pytest.mark.parametrize("pixels", [resizing.SMALL, resizing.SMALL + 1])
def test_frames_before_an_error_are_returned(pixels, error):
    def decoded():
        for number in range(9):
            yield np.full((8, 8, 3), number, np.uint8)
        raise error("frame 9")

    seen = []
    with pytest.raises(error, match="frame 9"):
        for frame in resizing.in_order(decoded(), lambda frame: frame, pixels):
            seen.append(int(frame[0, 0, 0]))
    assert seen == list(range(9))


@pytest.mark.parametrize("pixels", [resizing.SMALL, resizing.SMALL + 1])
def test_only_large_frames_are_converted_in_other_threads(pixels):
    converted, closed = [], []

    def decoded():
        try:
            for number in (0, 1, 1, 1, 2, 3, 3, 4, 5, 6, 7):
                yield frames[number]
        finally:
            closed.append(True)

    def picture(frame):
        converted.append((int(frame[0]), threading.get_ident()))
        return frame + 10

    frames = [np.full(1, number) for number in range(8)]
    given = [int(found[0]) for found in resizing.in_order(decoded(), picture, pixels)]
    assert given == [10, 11, 11, 11, 12, 13, 13, 14, 15, 16, 17]
    assert sorted(number for number, _ in converted) == list(range(8))  # each one once
    here = {thread == threading.get_ident() for _, thread in converted}
    assert here == {pixels <= resizing.SMALL} and closed


FORKED = """
import os, signal, sys
from zoo.datasets.video.reading import open_video
opened = open_video(sys.argv[1])  # and not read: OpenCV's decoding threads wait
child = os.fork()
if not child:
    signal.alarm(60)
    os._exit(len(list(open_video(sys.argv[1]).frames())))
found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(found, len(list(opened.frames())))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_the_file_again(tmp_path):
    command = [sys.executable, "-c", FORKED, numbered_video(tmp_path / "a.mp4", 40)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.stdout.split() == ["40", "40"], done.stderr
