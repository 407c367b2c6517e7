"""Live streams: predictions while frames arrive, and streams that break."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from fractions import Fraction

import av
import cv2
import keras
import numpy as np
import pytest

import zoo
from zoo.cli.main import main
from zoo.inference.live import predict_live
from zoo.inference.streaming.live_source import (
    StreamError,
    camera_frames,
    encoded_frames,
    is_live,
    raw_frames,
)
from zoo.inference.streaming.stream import Stream

SIZE = (34, 46)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.rmdn(image_size=32, width=0.03, units=4, num_components=3, dense=True, causal=True)


def _frames(count, size=SIZE):
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (count, *size, 3), dtype=np.uint8)


def _encoded(frames, format="matroska"):
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def test_equals_the_video_as_a_whole(model, tmp_path):
    frames = _frames(12)
    got = predict_live(model, iter(frames), output=tmp_path / "out", maps="npz")
    from zoo.datasets.video.source import resize

    small = np.stack([resize(frame, (32, 32)) for frame in frames])[None].astype("float32")
    expected = keras.ops.convert_to_numpy(model(small, training=False)["mixture"])[0]
    np.testing.assert_allclose(got.outputs["mixture"], expected, atol=1e-4)
    assert got.delay == 0
    assert len(got.latency) == 12
    assert (got.latency > 0).all()
    assert "latency per frame" in got.summary()
    assert "delay 0 frames" in got.summary()
    assert zoo.datasets.video.reading.open_video(tmp_path / "out" / "film.mp4").num_frames == 12
    summary = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert summary["num_frames"] == summary["predicted_frames"] == 12
    assert summary["error"] is None
    with np.load(tmp_path / "out" / "maps.npz") as maps:
        assert maps["000011"].shape == SIZE


def test_each_frame_is_answered_before_the_next_comes(model, monkeypatch):
    answered, push = threading.Semaphore(0), Stream.push

    def counted(self, frames):
        outputs = push(self, frames)
        for _ in outputs.get("mixture", ()):
            answered.release()
        return outputs

    waited = []

    def source():
        for frame in _frames(4):
            yield frame
            waited.append(answered.acquire(timeout=60))  # no further frame before the prediction

    monkeypatch.setattr(Stream, "push", counted)
    got = predict_live(model, source())
    assert waited == [True] * 4
    assert got.num_frames == 4
    assert got.error is None


def test_a_model_that_looks_ahead_is_delayed():
    keras.utils.set_random_seed(0)
    ahead = zoo.rmdn(image_size=32, width=0.03, units=4, num_components=3)
    got = predict_live(ahead, iter(_frames(18)))
    assert got.first == 15
    assert got.outputs["mixture"].shape == (3, 3, 6)


def test_a_stream_without_a_frame_leaves_nothing_in_the_way(model, tmp_path):
    for _ in range(2):  # the second attempt does not find the folder in use
        with pytest.raises(StreamError, match="can read") as caught:
            predict_live(model, encoded_frames(io.BytesIO(b"no video")), output=tmp_path / "out")
        assert "so far" not in str(caught.value) and not (tmp_path / "out").exists()
        assert caught.value.prediction.num_frames == 0


@pytest.mark.parametrize(
    ("source", "match", "kept"),
    [
        (
            lambda: raw_frames(io.BytesIO(_frames(3).tobytes() + b"12345"), SIZE),
            "5 of 4692 bytes of frame 3",
            3,
        ),
        (
            lambda: iter([*_frames(4), *_frames(1, (20, 20))]),
            "34x46 .height x width. up to frame 3, 20x20 at frame 4",
            4,
        ),
        (lambda: _silent(2), "no frame for 0.5 s after 2 frames", 2),
    ],
    ids=["middle of a frame", "size", "stall"],
)
def test_a_broken_stream_keeps_the_results_so_far(model, tmp_path, source, match, kept):
    with pytest.raises(StreamError, match=match) as caught:
        predict_live(model, source(), output=tmp_path / "out", stall=0.5)
    assert f"the {kept} frames so far are kept" in str(caught.value)
    assert zoo.datasets.video.reading.open_video(tmp_path / "out" / "film.mp4").num_frames == kept
    with np.load(tmp_path / "out" / "prediction.npz") as arrays:
        assert len(arrays["mixture"]) == kept
    assert len(caught.value.prediction.outputs["mixture"]) == kept


def _silent(count):
    yield from _frames(count)
    time.sleep(20)  # longer than `stall`, however busy the machine is


def test_raw_pixel_formats():
    frames = _frames(2)
    for name, picture in (("rgb24", frames), ("bgr24", frames[..., ::-1])):
        got = list(raw_frames(io.BytesIO(picture.tobytes()), SIZE, name))
        np.testing.assert_array_equal(got, frames)
    grey = list(raw_frames(io.BytesIO(frames[..., 0].tobytes()), SIZE, "gray"))
    np.testing.assert_array_equal(grey[1][..., 2], frames[1][..., 0])
    even = np.full((51 * 46,), 128, np.uint8)
    (yuv,) = raw_frames(io.BytesIO(even.tobytes()), SIZE, "yuv420p")
    assert yuv.shape == (*SIZE, 3)
    assert np.ptp(yuv) <= 2
    with pytest.raises(ValueError, match="`pixel_format` must be one of"):
        next(raw_frames(io.BytesIO(), SIZE, "nv12"))
    with pytest.raises(ValueError, match="even for yuv420p"):
        next(raw_frames(io.BytesIO(), (33, 46), "yuv420p"))


def test_encoded_stream_and_its_faults():
    smooth = np.repeat(_frames(6)[:, :1], SIZE[0], axis=1)
    data = _encoded(smooth)
    frames = list(encoded_frames(io.BytesIO(data)))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(6) / 25, atol=1e-3)
    got = np.stack([frame.picture for frame in frames])
    assert got.shape == smooth.shape
    with pytest.raises(StreamError, match="at frame 0"):
        list(encoded_frames(io.BytesIO(b"no video at all" * 50)))
    small = _encoded(_frames(4, (48, 64)), "mpegts") + _encoded(_frames(4, (80, 96)), "mpegts")
    seen = []
    with pytest.raises(StreamError, match=r"48x64 .* 80x96 at frame"):
        for frame in encoded_frames(io.BytesIO(small)):
            seen.append(frame.picture.shape)
    assert seen
    assert set(seen) == {(48, 64, 3)}


def test_what_is_a_live_source(tmp_path, monkeypatch):
    assert is_live("-")
    assert is_live("0")
    assert is_live(1)
    assert not is_live("clip.mp4")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "7").mkdir()
    assert not is_live("7")  # a folder of frames of that name


@pytest.mark.slow
def test_the_command_reads_a_pipe(model, tmp_path):
    model.save(tmp_path / "model.keras")
    command = [sys.executable, "-m", "zoo.cli.main", "predict", "model.keras", "-", "-o", "out"]
    command += ["--raw-size", *map(str, SIZE)]
    data = _frames(5).tobytes()
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "TF_CPP_MIN_LOG_LEVEL": "3"}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "timeout": 300}
    done = subprocess.run(command, input=data, **options)
    assert done.returncode == 0, done.stderr
    assert b"5 frames; latency per frame" in done.stdout
    broken = subprocess.run([*command, "--overwrite"], input=data[:-1], **options)
    assert broken.returncode == 2
    assert b"of frame 4; the 4 frames so far are kept in out" in broken.stderr


def test_times_are_the_streams_own(model, tmp_path):
    frames, stamps = _frames(6, (34, 46)), [0, 40, 80, 400, 440, 1500]
    data = io.BytesIO()
    with av.open(data, "w", format="matroska") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 34, 46, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for stamp, frame in zip(stamps, frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    data.seek(0)
    got = predict_live(model, encoded_frames(data), output=tmp_path / "out")
    np.testing.assert_allclose(got.times * 1000, stamps, atol=1)
    film = zoo.datasets.video.reading.open_video(tmp_path / "out" / "film.mp4")
    np.testing.assert_allclose(film.source_times * 1000, stamps, atol=1)
    told = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert told["stream_seconds"] == 1.5 and told["damage"] == []
    raw = predict_live(model, iter(frames), fps=10)
    np.testing.assert_allclose(raw.times, np.arange(6) / 10)


def test_a_damaged_packet_costs_that_packet(model):
    data = bytearray(_encoded(np.repeat(_frames(12)[:, :1], SIZE[0], axis=1), "avi"))
    with av.open(io.BytesIO(bytes(data))) as container:
        packets = list(container.demux(video=0))
    data[packets[5].pos : packets[5].pos + packets[5].size] = bytes(packets[5].size)
    got = predict_live(model, encoded_frames(io.BytesIO(bytes(data))))
    assert got.num_frames == 11
    assert len(got.damage) == 1 and "damaged packet" in got.damage[0]
    assert "1 damaged, first: " in got.summary()
    with pytest.raises(StreamError, match="strict"):
        predict_live(model, encoded_frames(io.BytesIO(bytes(data))), strict=True)


def test_a_missing_camera():
    with pytest.raises(StreamError, match="device 97"):
        next(camera_frames(97))


def test_maps_as_pictures_and_another_size(model, tmp_path):
    out = tmp_path / "out"
    got = predict_live(model, iter(_frames(3)), output=out, maps="png", size=(20, 30))
    assert sorted(path.name for path in (out / "maps").iterdir()) == [
        "000000.png",
        "000001.png",
        "000002.png",
    ]
    assert cv2.imread(str(out / "maps/000001.png")).shape[:2] == (20, 30)
    film = zoo.datasets.video.reading.open_video(got.files["film"])
    assert (film.height, film.width) == (20, 30)
    predict_live(model, iter(_frames(2)), output=out, maps="png", overwrite=True)
    assert len(list((out / "maps").iterdir())) == 2
    with pytest.raises(ValueError, match='`maps` must be "npz", "png" or None'):
        predict_live(model, iter(_frames(1)), maps=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mirror": True, "chunk": 4}, r"`chunk` and `mirror` must .* chunk=4, mirror=True"),
        ({"initial": "pad"}, r"`initial` must not be changed.* initial='pad'"),
        ({"stride": 2}, "stride=2"),
        ({"flow": "dis"}, "flow='dis'"),
        ({"classes": ("a", "b")}, "`classes` must not be changed"),
        ({"size": (0, 2)}, "`size` must be positive"),
        ({"size": (20.5, 30)}, "`size` must be positive integers"),
    ],
)
def test_options_that_a_live_stream_cannot_use_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        zoo.predict(97, **options)


def test_the_command_names_its_options(capsys):
    assert main(["predict", "97", "--mirror", "--classes", "ucf101"]) == 2
    told = capsys.readouterr().err
    assert "--classes and --mirror must not be changed" in told and "--classes ucf101" in told
    assert main(["predict", "97", "--raw-size", "4", "6"]) == 2
    assert "--raw-size is for raw frames on standard input" in capsys.readouterr().err
    assert main(["predict", "97", "--pixel-format", "gray"]) == 2
    assert "--pixel-format is for raw frames, whose size" in capsys.readouterr().err
    assert main(["predict", "clip.mp4", "--window", "--raw-size", "4", "6"]) == 2
    assert "--raw-size and --window must be used with a live source" in capsys.readouterr().err


def test_a_stream_has_its_options_already(model):
    stream = Stream(model)
    with pytest.raises(ValueError, match=r"has its options already.* mirror=True"):
        zoo.predict(_frames(3), stream, mirror=True, progress=False)
    with pytest.raises(ValueError, match=r"has its precision already.* precision='float32'"):
        predict_live(stream, iter(_frames(1)), precision="float32")


def test_the_model_is_built_once(model, monkeypatch):
    built = []
    prepare = Stream._prepare
    monkeypatch.setattr(Stream, "_prepare", lambda *given: built.append(prepare(*given)))
    monkeypatch.setattr(Stream, "push", lambda self, frames: {})
    monkeypatch.setattr(Stream, "finish", lambda self: {})
    predict_live(model, iter(_frames(2)))
    assert len(built) == 1
    predict_live(zoo.general_saliency(width=8), iter(_frames(2)), fps=5)  # accepts any size
    assert len(built) == 2


def test_the_saliency_of_a_joint_model():
    options = {"image_size": 32, "width": 0.03, "units": 4, "num_components": 3, "num_classes": 2}
    joint = zoo.joint(**options, dense=True, causal=True)
    got = predict_live(joint, iter(_frames(3)))
    assert set(got.outputs) == {"mixture"} and got.outputs["mixture"].shape == (3, 3, 6)


def test_a_source_may_reuse_its_array(model):
    frames = _frames(8)

    def capture():
        kept = np.empty_like(frames[0])
        for frame in frames:
            kept[:] = frame
            yield kept

    wanted, found = predict_live(model, iter(frames)), predict_live(model, capture())
    np.testing.assert_array_equal(found.outputs["mixture"], wanted.outputs["mixture"])


@pytest.mark.parametrize(
    "frame, told",
    [
        (_frames(1)[0] / 255.0, "multiply by 255"),
        (_frames(1)[0].astype("uint16") * 257, "from 0 to 255"),
        (np.full((*SIZE, 3), np.nan), "from 0 to 255"),
        (_frames(1)[0, ..., 0], r"\(34, 46\) as frame 0"),
        ("frame.png", "str as frame 0"),
    ],
)
def test_frames_that_are_no_pictures(model, frame, told):
    with pytest.raises(ValueError, match=told):
        predict_live(model, [frame])


def test_a_source_that_fails_keeps_the_results_so_far(model, tmp_path):
    def frames():
        yield from _frames(6)
        raise RuntimeError("unplugged")

    with pytest.raises(StreamError, match=r"RuntimeError: unplugged; the 6 frames"):
        predict_live(model, frames(), output=tmp_path / "out")
    assert json.loads((tmp_path / "out" / "prediction.json").read_text())


@pytest.mark.parametrize("max_frames", [0, -1, 2.5])
def test_the_number_of_frames_is_positive(model, max_frames):
    with pytest.raises(ValueError, match="`max_frames` must be a positive integer"):
        predict_live(model, iter(_frames(2)), max_frames=max_frames)


def test_sources_that_are_not_live(model, tmp_path):
    with pytest.raises(ValueError, match=r"use zoo.predict. Received: '.*clip.mp4'"):
        predict_live(model, str(tmp_path / "clip.mp4"))
    with pytest.raises(StreamError, match="at least one frame"):
        list(raw_frames(io.BytesIO(), (4, 4)))


def test_an_empty_folder_of_a_killed_run_is_not_in_the_way(model, tmp_path):
    (tmp_path / "out" / "viewer").mkdir(parents=True)
    (tmp_path / "out" / "viewer" / ".data.js.1.part").write_text("")
    assert predict_live(model, iter(_frames(3)), output=tmp_path / "out").num_frames == 3
