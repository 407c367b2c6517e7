"""Common kinds of video files: containers, codecs, time stamps, colours."""

from __future__ import annotations

import os
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from tests.datasets.video_files import SIZE, number_in, numbered, write_video
from tests.real_data import data_dir
from zoo.datasets.video import file_source
from zoo.datasets.video.reading import FrameRateWarning, VideoError, open_video

COUNT = 24
os.environ.setdefault("SVT_LOG", "0")
FORMATS = {"mts": "mpegts", "mpg": "mpeg", "vob": "vob", "m4v": "ipod", "y4m": "yuv4mpegpipe"}
FILES = {
    ("libx264", "yuv420p"): "mp4 mkv mov ts mts avi flv 3gp m4v mpg vob nut h264",
    ("libx264", "yuv420p10le"): "mp4 mkv",
    ("libx264", "yuv444p"): "mp4",
    ("libx264", "gray"): "mp4",
    ("libx265", "yuv420p"): "mp4 mkv ts hevc",
    ("libx265", "yuv420p10le"): "mp4",
    ("libsvtav1", "yuv420p"): "mp4 webm",
    ("libsvtav1", "yuv420p10le"): "mkv",
    ("libvpx-vp9", "yuv420p"): "webm mkv mp4",
    ("libvpx-vp9", "yuva420p"): "webm",
    ("libvpx", "yuv420p"): "webm",
    ("mpeg4", "yuv420p"): "avi mp4 mkv",
    ("mpeg2video", "yuv420p"): "mpg ts mkv vob m2v mxf",
    ("mpeg1video", "yuv420p"): "mpg",
    ("prores_ks", "yuv422p10le"): "mov mkv",
    ("prores_ks", "yuva444p10le"): "mov",
    ("gif", "rgb8"): "gif",
    ("apng", "rgb24"): "apng",
    ("libwebp_anim", "bgra"): "webp",
    ("ffv1", "yuv420p"): "mkv avi",
    ("ffv1", "yuv420p16le"): "mkv",
    ("ffv1", "bgra"): "mkv",
    ("mjpeg", "yuvj420p"): "avi mov mkv mjpeg",
    ("wmv2", "yuv420p"): "wmv asf",
    ("flv", "yuv420p"): "flv",
    ("png", "rgb24"): "mov avi",
    ("png", "rgba"): "mov",
    ("qtrle", "argb"): "mov",
    ("huffyuv", "yuv422p"): "avi",
    ("utvideo", "gbrp"): "avi",
    ("rawvideo", "yuv420p"): "avi nut",
    ("rawvideo", "bgr24"): "avi",
    ("msmpeg4", "yuv420p"): "avi",
}
CASES = [(*key, suffix) for key, suffixes in FILES.items() for suffix in suffixes.split()]
WITHOUT_TIMES = ("h264", "hevc", "mjpeg")


def numbers_of(video, **options):
    return [number_in(frame) for frame in video.frames(**options)]


def check_exact(path, count=COUNT, expected=None):
    """The same frames in order, at random, and by seeking with and without an index."""
    file_source.forget()
    video = open_video(path)
    whole = np.stack(list(video.frames()))
    assert [number_in(frame) for frame in whole] == list(expected or range(count))
    assert video.num_frames == len(whole)
    draws = np.random.default_rng(0).permutation(len(whole))[:5]
    stamps = video.stamps
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_source, "SEEK_GAP", 0)  # every frame by a seek
        for draw in draws:
            np.testing.assert_array_equal(video.read([draw])[0], whole[draw])
        file_source.forget()
        again = open_video(path, stamps=stamps)
        for draw in draws:
            np.testing.assert_array_equal(again.read([draw])[0], whole[draw])
    return video


def encoded(path, codec, **options):
    """`write_video`, or skip the test if the installed FFmpeg cannot encode this."""
    try:
        return write_video(path, codec, **options)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this FFmpeg does not write {codec}: {error}")


@pytest.mark.filterwarnings("ignore::zoo.datasets.video.reading.FrameRateWarning")
@pytest.mark.parametrize("codec, pixels, suffix", CASES)
def test_every_container_and_codec(tmp_path, codec, pixels, suffix):
    form = {"format": FORMATS[suffix]} if suffix in FORMATS else {}
    video = check_exact(encoded(tmp_path / f"a.{suffix}", codec, pix_fmt=pixels, **form))
    np.testing.assert_allclose(video.source_times, np.arange(COUNT) / 25, atol=1.1e-3)
    assert video.index.end == pytest.approx(COUNT / 25, abs=2e-3)
    assert (video.height, video.width, video.sample_aspect) == (*SIZE, 1)
    assert video.damage == () and video.rate_known == (suffix not in WITHOUT_TIMES)


def test_a_stream_without_time_stamps_has_an_assumed_rate(tmp_path):
    video = open_video(write_video(tmp_path / "a.h264"))
    assert video.num_frames == COUNT
    with pytest.warns(FrameRateWarning, match=r"a\.h264 does not state .* 25 frames"):
        assert video.fps == 25


@pytest.mark.filterwarnings("ignore::zoo.datasets.video.reading.FrameRateWarning")
@pytest.mark.parametrize("suffix", WITHOUT_TIMES)
def test_a_stream_without_time_stamps_takes_the_rate_that_is_given(tmp_path, suffix):
    codec, pixels = {
        "h264": ("libx264", "yuv420p"),
        "hevc": ("libx265", "yuv420p"),
        "mjpeg": ("mjpeg", "yuvj420p"),
    }[suffix]
    path = encoded(tmp_path / f"a.{suffix}", codec, pix_fmt=pixels)
    assumed = open_video(path).source_times
    video = open_video(path, folder_fps=50)
    assert video.rate_known and video.fps == 50
    np.testing.assert_allclose(video.source_times, np.arange(COUNT) / 50)
    assert video.index.end == pytest.approx(COUNT / 50)
    again = open_video(path, folder_fps=50, stamps=video.stamps)
    np.testing.assert_allclose(again.source_times, video.source_times)
    np.testing.assert_array_equal(again.read([COUNT - 1, 2]), open_video(path).read([COUNT - 1, 2]))
    np.testing.assert_array_equal(open_video(path).source_times, assumed)


def test_a_file_that_states_its_rate_takes_no_other(tmp_path):
    with pytest.raises(VideoError, match=r"leave it out. Received: 30 for .*a\.mp4, .* 25"):
        open_video(write_video(tmp_path / "a.mp4"), folder_fps=30)


INTERLACED = {
    "libx264": {"qp": "0", "x264-params": "interlaced=1"},
    "mpeg2video": {"flags": "+ildct+ilme", "qscale": "2", "qmin": "1"},
    "mpeg4": {"flags": "+ildct+ilme", "qscale": "2"},
}


@pytest.mark.parametrize(
    "codec, suffix",
    [("libx264", "mp4"), ("libx264", "ts"), ("mpeg2video", "mpg"), ("mpeg4", "avi")],
)
def test_interlaced_frames_are_not_deinterlaced(tmp_path, codec, suffix):
    fields = [frame.copy() for frame in numbered(COUNT)]
    for frame in fields:
        frame[1::2] //= 2  # the other field is darker
    options = INTERLACED[codec]
    path = encoded(tmp_path / f"a.{suffix}", codec, options=options, frames=fields)
    video = open_video(path)
    got = np.stack(list(video.frames())).astype(int)
    assert len(got) == COUNT and video.index.interlaced == COUNT
    assert np.abs(got - np.stack(fields)).mean() < 6
    np.testing.assert_array_equal(open_video(path).read([17])[0], got[17])


def test_a_stream_that_turns_interlaced_midway(tmp_path):
    plain = write_video(tmp_path / "a.m2v", "mpeg2video", count=8)
    woven = write_video(tmp_path / "b.m2v", "mpeg2video", options=INTERLACED["mpeg2video"], count=8)
    (tmp_path / "c.m2v").write_bytes(plain.read_bytes() + woven.read_bytes())
    with av.open(str(tmp_path / "c.m2v")) as container:
        plain = [number_in(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    assert len(plain) >= 15  # at the change, FFmpeg outputs the frame that it holds back
    video = check_exact(tmp_path / "c.m2v", expected=plain)
    assert 0 < video.index.interlaced < 16


@pytest.mark.parametrize(
    "codec, suffix", [("libx264", "mp4"), ("libx264", "mkv"), ("libvpx-vp9", "webm")]
)
def test_times_are_the_streams_own(tmp_path, codec, suffix):
    stamps = np.cumsum([0, *np.random.default_rng(1).choice([17, 40, 400], COUNT - 1)])
    path = encoded(tmp_path / f"a.{suffix}", codec, stamps=stamps.tolist(), unit=Fraction(1, 1000))
    video = check_exact(path)
    np.testing.assert_allclose(video.source_times, stamps / 1000, atol=1e-3)
    part = open_video(path, start=stamps[6] / 1000 - 1e-3, end=stamps[9] / 1000 - 2e-3)
    assert numbers_of(part) == [6, 7, 8]
    np.testing.assert_allclose(part.times, (stamps[6:9] - stamps[6]) / 1000, atol=1.1e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "mov", "flv"])
@pytest.mark.parametrize("late", [0, 50])
def test_sound_of_another_length_does_not_change_the_frames(tmp_path, suffix, late):
    stamps = range(late, late + COUNT)
    path = encoded(tmp_path / f"a.{suffix}", "libx264", stamps=stamps, sound=4.0)
    video = check_exact(path)  # complete, although it ends before the sound
    assert video.source_times[0] == 0
    with av.open(str(path)) as container:
        began = container.start_time / av.time_base
    assert video.index.first - began == pytest.approx(late / 25, abs=0.1)


def test_a_fragmented_file_with_longer_sound(tmp_path):
    flags = {"movflags": "frag_keyframe+empty_moov"}
    check_exact(write_video(tmp_path / "a.mp4", sound=3.0, options=None, container_options=flags))


def remuxed(source, path, change, **file):
    """Change the packets of a file and write them again."""
    with av.open(str(source)) as given, av.open(str(path), "w", **file) as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        for number, packet in enumerate(given.demux(stream)):
            if packet.dts is not None and change(number, packet):
                packet.stream = copy
                made.mux(packet)
    return path


def test_an_edit_list_hides_what_comes_before(tmp_path):
    source = write_video(tmp_path / "a.mp4", options={"bf": "0"})
    with av.open(str(source)) as container:
        step = round(Fraction(1, 25) / container.streams.video[0].time_base)

    def earlier(number, packet):
        packet.pts, packet.dts = packet.pts - 5 * step, packet.dts - 5 * step
        return True

    path = remuxed(source, tmp_path / "b.mp4", earlier, options={"avoid_negative_ts": "disabled"})
    video = check_exact(path, expected=range(5, COUNT))
    assert video.header_frames == COUNT and video.source_times[0] == 0
    assert video.index.end == pytest.approx((COUNT - 5) / 25)


OPEN = {
    "open GOP h264": (
        "libx264",
        "mp4",
        {"qp": "0", "x264-params": "open-gop=1:bframes=3:b-adapt=0"},
    ),
    "open GOP hevc": ("libx265", "mkv", {"x265-params": "qp=4:open-gop=1:log-level=none"}),
    "open GOP mpeg2": ("mpeg2video", "ts", {"bf": "2", "qscale": "2"}),
    "intra refresh": ("libx264", "mkv", {"qp": "0", "x264-params": "intra-refresh=1"}),
    "B-frames avi": ("mpeg4", "avi", {"bf": "2", "qscale": "2"}),
    "no index mkv": ("libx264", "mkv", {"qp": "0"}),
}


@pytest.mark.parametrize("kind", OPEN)
def test_decoding_starts_where_it_is_exact(tmp_path, kind):
    codec, suffix, options = OPEN[kind]
    more = {"container_options": {"live": "1"}} if kind == "no index mkv" else {}
    check_exact(encoded(tmp_path / f"a.{suffix}", codec, options=options, **more))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mpg"])
def test_the_sample_aspect(tmp_path, suffix):
    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)

    codec = "mpeg2video" if suffix == "mpg" else "libx264"
    form = {"format": FORMATS[suffix]} if suffix in FORMATS else {}
    video = open_video(write_video(tmp_path / f"a.{suffix}", codec, setup=wide, **form))
    assert float(video.sample_aspect) == pytest.approx(16 / 11, rel=0.1)  # mpeg-2 has few aspects
    assert (video.height, video.width) == SIZE


def jpeg_with_exif(picture, orientation):
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"
    exif += struct.pack(">HHHH", orientation, 0, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_side_data_that_pyav_does_not_know(tmp_path, orientation):
    """The EXIF data of JPEG pictures in a video: FFmpeg passes it on, PyAV cannot list it."""
    picture = np.full((40, 60, 3), 90, np.uint8)
    picture[5:15, 40:55] = 255
    jpeg = jpeg_with_exif(picture, orientation)
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 60, 40, "yuvj420p"
        for number in range(3):
            packet = av.Packet(jpeg)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    with av.open(str(tmp_path / "a.avi")) as container:
        turned = next(container.decode(video=0)).rotation != 0  # older FFmpeg: never
    frames = open_video(tmp_path / "a.avi").read([0, 2])
    mode = cv2.IMREAD_COLOR if turned else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    expected = cv2.imdecode(np.frombuffer(jpeg, np.uint8), mode)
    assert frames.shape == (2, *expected.shape)
    assert np.abs(frames.astype(int) - expected).mean() < 1


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotated_and_mirrored(tmp_path, degrees, mirrored):
    def turn(stream):
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV writes no display matrix")
        stream.set_display_rotation(degrees, hflip=mirrored)
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = write_video(tmp_path / "a.mp4", setup=turn)
    plain = open_video(write_video(tmp_path / "b.mp4")).read([11])[0]
    video = open_video(path)
    shown = np.rot90(plain, degrees // 90)  # counter-clockwise, as FFmpeg counts
    if mirrored:
        shown = shown[:, ::-1]
    np.testing.assert_array_equal(video.read([11])[0], shown)
    sideways = degrees in (90, -90)
    assert video.sample_aspect == (Fraction(3, 4) if sideways else Fraction(4, 3))


MATRICES = {"bt601": (0.299, 0.114, 5), "bt709": (0.2126, 0.0722, 1), "bt2020": (0.2627, 0.0593, 9)}


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_colours_follow_the_tags(tmp_path, matrix, full, suffix):
    red, blue, tag = MATRICES[matrix]
    rgb = np.array([200.0, 60.0, 40.0])
    luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
    planes = [luma, (rgb[2] - luma) / (2 * (1 - blue)), (rgb[0] - luma) / (2 * (1 - red))]
    scale, low = ((1, 1), 0) if full else ((219 / 255, 224 / 255), 16)
    values = [low + scale[0] * planes[0], 128 + scale[1] * planes[1], 128 + scale[1] * planes[2]]
    yuv = np.stack([np.full(SIZE, round(value), np.uint8) for value in values])
    with av.open(str(tmp_path / f"a.{suffix}"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv444p"
        context = stream.codec_context
        context.colorspace, context.color_range = tag, 2 if full else 1
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(yuv, format="yuv444p")
            frame.colorspace, frame.color_range = tag, 2 if full else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    got = open_video(tmp_path / f"a.{suffix}").read([1])[0].reshape(-1, 3)
    np.testing.assert_allclose(got.mean(0), rgb, atol=2)


@pytest.mark.parametrize("codec, pixels", [("qtrle", "argb"), ("png", "rgba")])
def test_an_alpha_channel_is_left_out(tmp_path, codec, pixels):
    clear = np.zeros((*SIZE, 4), np.uint8)
    place = {"argb": slice(1, 4), "rgba": slice(0, 3)}[pixels]
    clear[..., place] = (200, 60, 40)
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pixels
        container.mux(stream.encode(av.VideoFrame.from_ndarray(clear, format=pixels)))
        container.mux(stream.encode())
    assert (open_video(tmp_path / "a.mov").read([0])[0] == (200, 60, 40)).all()


@pytest.mark.parametrize(
    "codec, suffix, size", [("ffv1", "mkv", (45, 72)), ("libx264", "mp4", SIZE)]
)
def test_one_frame_and_odd_sizes(tmp_path, codec, suffix, size):
    video = check_exact(write_video(tmp_path / f"a.{suffix}", codec, count=1, size=size), count=1)
    assert (video.height, video.width) == size and video.index.end == pytest.approx(0.04, abs=1e-3)


def test_tags_in_another_encoding(tmp_path):
    path = write_video(tmp_path / "a.avi", "mpeg4", metadata={"title": "zzzz"})
    path.write_bytes(path.read_bytes().replace(b"zzzz", b"\xe9\xe8\xe7\xe6"))
    check_exact(path)


def test_a_missing_codec_is_named(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match=r"codec.*a\.mp4.*zzzz"):
        open_video(path)


def test_a_file_with_only_sound_is_not_a_video(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match=r"video stream.*audio"):
        open_video(tmp_path / "a.mp4")


def test_frames_of_two_sizes_are_refused(tmp_path):
    first = write_video(tmp_path / "a.ts", "mpeg2video", count=6)
    other = write_video(tmp_path / "b.ts", "mpeg2video", count=6, size=(32, 64))
    first.write_bytes(first.read_bytes() + other.read_bytes())
    with pytest.raises(VideoError, match="64x48 and 64x32"):
        list(open_video(first).frames())


REPORTS = {
    ("interlaced", "il_h264.mp4"): (25, 1.0),
    ("interlaced", "interlaced.mpg"): (25, 1.0),
    ("edit_list", "trimmed.mp4"): (75, 2.5),
    ("long_audio", "longaudio.mkv"): (100, 4.0),
    ("long_audio", "late.mkv"): (100, 4.0),
    ("av1", "av1.webm"): (25, 1.0),
    ("stdin_rotation", "rot90.mp4"): (25, 1.0),
    ("vfr_seconds", "vfr_gap.mp4"): (31, 10.0),
    ("anamorphic_letterbox", "v.mp4"): (25, 1.0),
    ("gaze_time_rounding", "v.mp4"): (60, 2.002),
}


@pytest.mark.parametrize("place", REPORTS, ids="/".join)
def test_reported_files(place):
    path, (count, seconds) = data_dir("reports", *place), REPORTS[place]
    video = open_video(path)
    whole = np.stack(list(video.frames()))
    assert len(whole) == video.num_frames == count
    assert video.index.end == pytest.approx(seconds, abs=2e-3) and video.damage == ()
    with av.open(str(path)) as container:  # FFmpeg's own frames, one at a time, single-threaded
        container.streams.video[0].codec_context.thread_count = 1
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    shown = np.stack([np.rot90(frame) if "rot90" in place[1] else frame for frame in plain])
    assert np.abs(whole.astype(int) - shown).mean() < 2
    if "rot90" in place[1]:
        assert (video.height, video.width) == (160, 120)
    if "anamorphic" in place[0]:
        assert video.sample_aspect == Fraction(64, 45)
