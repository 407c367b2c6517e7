"""Damaged video files: what is kept, what is reported, and what is rejected."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from tests.datasets.video_files import number_in, numbered, write_video
from tests.real_data import data_dir
from zoo.datasets.listing.check import check_dataset
from zoo.datasets.video import file_source
from zoo.datasets.video.pictures import read_picture
from zoo.datasets.video.reading import FrameRateWarning, VideoError, open_video

COUNT = 24


def packets_of(path):
    """(place in the file, size, time stamp) of every packet of the video stream."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return [(packet.pos, packet.size, packet.pts) for packet in packets]


def overwritten(path, number, content=bytes):
    """The file with one packet overwritten."""
    at, size, _ = packets_of(path)[number]
    data = bytearray(path.read_bytes())
    data[at : at + size] = content(size)
    path.write_bytes(bytes(data))
    return path


KINDS = [
    ("libx264", "mp4", "yuv420p", 9),
    ("libx264", "mov", "yuv420p", 5),
    ("libx265", "mp4", "yuv420p", 23),
    ("libsvtav1", "mp4", "yuv420p", 5),
    ("mpeg4", "avi", "yuv420p", 9),
    ("mpeg2video", "avi", "yuv420p", 11),
    ("mjpeg", "avi", "yuvj420p", 9),
    ("mjpeg", "mov", "yuvj420p", 3),
    ("png", "mov", "rgb24", 16),
    ("prores_ks", "mov", "yuv422p10le", 16),
    ("mpeg4", "mp4", "yuv420p", 18),
]


@pytest.mark.parametrize("codec, suffix, pixels, at", KINDS)
def test_a_damaged_packet_costs_that_packet(tmp_path, codec, suffix, pixels, at):
    try:
        path = write_video(tmp_path / f"a.{suffix}", codec, pix_fmt=pixels)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg does not write {codec}: {error}")
    overwritten(path, at)
    video = open_video(path)
    whole = np.stack(list(video.frames()))
    times = video.source_times
    moments = np.round(times * 25).astype(int)
    assert len(whole) == video.num_frames >= 20
    np.testing.assert_allclose(times, moments / 25, atol=2e-3)
    # Only frames from the packet to the next keyframe are lost or wrong.
    wrong = {m for m, frame in zip(moments, whole) if number_in(frame) != m}
    wrong |= set(range(COUNT)) - set(moments.tolist())
    assert wrong <= set(range(max(0, at - 4), at // 8 * 8 + 9))
    assert 1 <= len(video.damage) <= 4
    assert all(abs(damage.seconds - at / 25) < 0.4 for damage in video.damage)
    assert all(abs(damage.frame - at) <= 8 for damage in video.damage)
    again = open_video(path)
    for draw in (0, len(whole) - 1, len(whole) // 2):
        np.testing.assert_array_equal(again.read([draw])[0], whole[draw])
    with pytest.raises(VideoError, match=rf"strict.*a\.{suffix}.*{len(video.damage)} damaged"):
        _ = open_video(path, strict=True).num_frames
    with pytest.raises(VideoError, match="strict"):
        list(open_video(path, strict=True).frames())


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
@pytest.mark.parametrize("found", ["noise", "gone"])
def test_a_transport_stream_with_a_gap(tmp_path, codec, found):
    path = write_video(tmp_path / "a.ts", codec, sound=1.0)
    data = bytearray(path.read_bytes())
    middle = packets_of(path)[12][0]
    if found == "noise":
        data[middle : middle + 188] = np.random.default_rng(0).bytes(188)
    else:
        del data[middle : middle + 188]
    path.write_bytes(bytes(data))
    video = open_video(path)
    numbers = [number_in(frame) for frame in video.frames()]
    assert numbers[:8] == list(range(8)) and numbers[-1] == COUNT - 1
    assert video.num_frames == len(numbers) >= 14
    assert video.damage and "damaged" in str(video.damage[0])


def test_frames_do_not_depend_on_the_order_of_access(tmp_path):
    path = overwritten(write_video(tmp_path / "a.mp4", options={"bf": "2"}), 12)
    first = np.stack(list(open_video(path).frames()))  # damage is met on the way
    file_source.forget()
    known = open_video(path)
    assert known.damage
    np.testing.assert_array_equal(np.stack(list(known.frames())), first)
    file_source.forget()
    stamps = known.stamps
    np.testing.assert_array_equal(open_video(path, stamps=stamps).read(range(len(first))), first)
    assert open_video(path, stamps=stamps).damage == known.damage


@pytest.mark.parametrize("suffix", ["mp4", "mov", "avi", "mkv", "webm"])
def test_a_file_that_was_cut_off(tmp_path, suffix):
    codec = "libvpx-vp9" if suffix == "webm" else "libx264"
    noise = np.random.default_rng(0).integers(0, 256, (COUNT, 48, 64, 3), dtype=np.uint8)
    options = {"movflags": "faststart"} if suffix in ("mp4", "mov") else {}
    path = write_video(
        tmp_path / f"a.{suffix}",
        codec,
        frames=noise,
        container_options=options,
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(VideoError, match=rf"a\.{suffix}"):
        list(open_video(path).frames())
    with pytest.raises(VideoError, match=rf"be as long as its header states.*a\.{suffix}"):
        _ = open_video(path).num_frames
    part = open_video(path, allow_truncated=True)
    assert 0 < part.num_frames < COUNT
    assert len(list(part.frames())) == part.num_frames


def test_check_reports_damage_and_fails_if_strict(tmp_path):
    (tmp_path / "run").mkdir()
    overwritten(write_video(tmp_path / "run" / "a.mp4"), 9)
    write_video(tmp_path / "run" / "b.mp4")
    report = check_dataset("csv", tmp_path)
    (found,) = [finding for finding in report.findings if finding.kind == "damaged"]
    assert found.video == "run/a" and "1 damaged place: " in found.text and "0.36" in found.text
    assert report.ok and "damaged videos (notice)" in report.summary()
    strict = check_dataset("csv", tmp_path, strict=True)
    assert not strict.ok and strict.problems == ["1 damaged videos"]


def frames_in(folder, count=6):
    folder.mkdir()
    for number, frame in enumerate(numbered(count)):
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), frame)
    return folder


def test_a_picture_that_was_cut_off_is_named(tmp_path):
    folder = frames_in(tmp_path / "frames")
    data = (folder / "0003.jpg").read_bytes()
    (folder / "0003.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(VideoError, match=r"0003\.jpg, a JPEG that is cut off"):
        list(open_video(folder, folder_fps=10).frames())
    (folder / "0003.jpg").write_bytes(data + b"trailing")
    assert len(list(open_video(folder, folder_fps=10).frames())) == 6
    (folder / "0003.jpg").write_bytes(b"")
    with pytest.raises(VideoError, match=r"0003\.jpg of 0 bytes"):
        list(open_video(folder, folder_fps=10).frames())


def test_a_jpeg_thumbnail_is_not_taken_for_the_end(tmp_path):
    whole = cv2.imencode(".jpg", np.full((40, 40, 3), 90, np.uint8))[1].tobytes()
    small = cv2.imencode(".jpg", np.full((8, 8, 3), 90, np.uint8))[1].tobytes()
    head = b"Exif\0\0" + small
    part = b"\xff\xe1" + (len(head) + 2).to_bytes(2, "big") + head
    (tmp_path / "a.jpg").write_bytes(whole[:2] + part + whole[2:])
    assert read_picture(tmp_path / "a.jpg").shape == (40, 40, 3)
    (tmp_path / "b.jpg").write_bytes(whole[:2] + part + whole[2:-40])
    with pytest.raises(VideoError, match=r"b\.jpg, a JPEG that is cut off"):
        read_picture(tmp_path / "b.jpg")


def test_a_picture_that_claims_to_be_huge(tmp_path):
    data = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    (tmp_path / "0.png").write_bytes(bytes(data))
    with pytest.raises(VideoError, match=r"0\.png") as caught:
        open_video(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_has_the_frame_rate_that_is_given(tmp_path):
    folder = frames_in(tmp_path / "frames")
    known = open_video(folder, folder_fps=10)
    np.testing.assert_allclose(known.source_times, np.arange(6) / 10)
    unknown = open_video(folder)
    assert unknown.num_frames == 6 and not unknown.rate_known
    with pytest.warns(FrameRateWarning, match="25 frames per second are assumed"):
        _ = unknown.source_times
    with pytest.raises(ValueError, match="folder_fps"):
        open_video(folder, folder_fps=0)


def test_reported_folder_with_a_torn_picture():
    with pytest.raises(VideoError, match=r"0010\.jpg"):
        list(open_video(data_dir("reports", "truncated_jpeg", "clip"), folder_fps=25).frames())
