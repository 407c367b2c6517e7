"""Prediction from a file to maps, candidates and a film."""

import csv
import json
import threading
from fractions import Fraction

import av
import cv2
import keras
import numpy as np
import pytest

import zoo
from tests.datasets.video_files import write_video
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.source import resize
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.predict import predict
from zoo.inference.streaming import freed_memory
from zoo.inference.streaming.pipeline import _decoded, run_model
from zoo.inference.writing.maps import read_maps
from zoo.inference.writing.output import OutputError

SIZE = (46, 62)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3)


@pytest.fixture(scope="module")
def dense_model():
    keras.utils.set_random_seed(0)
    return zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3, dense=True)


def _write(path, count, size=SIZE):
    rng = np.random.default_rng(0)
    base = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), size[::-1])
    with VideoWriter(path, fps=25, height=size[0], width=size[1]) as writer:
        for index in range(count):
            frame = np.roll(base, index, axis=1)
            writer.write(np.ascontiguousarray(frame))
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("video") / "clip.mp4", 41)


def _whole(model, video, pad=0):
    frames = np.stack(list(open_video(video).frames(size=(32, 32))))
    frames = np.concatenate([np.repeat(frames[:1], pad, axis=0), frames])
    outputs = model(frames[None].astype("float32"), training=False)
    return keras.ops.convert_to_numpy(outputs["mixture"])[0]


@pytest.mark.parametrize("chunk", [None, 7])
def test_equals_the_whole_video_in_one_call(model, video, chunk):
    whole = _whole(model, video)
    got = predict(model, video, chunk=chunk, progress=False)
    assert got.outputs["mixture"].shape == (41, 3, 6)
    np.testing.assert_allclose(got.outputs["mixture"][15:], whole, atol=1e-4)


def test_initial(model, video):
    whole = _whole(model, video)
    repeat = predict(model, video, initial="repeat", progress=False)
    np.testing.assert_allclose(
        repeat.outputs["mixture"][:15], np.repeat(whole[:1], 15, 0), atol=1e-4
    )
    omit = predict(model, video, initial="omit", progress=False)
    np.testing.assert_allclose(omit.outputs["mixture"], whole, atol=1e-4)
    assert omit.frames.tolist() == list(range(15, 41))
    pad = predict(model, video, initial="pad", progress=False)
    np.testing.assert_allclose(pad.outputs["mixture"], _whole(model, video, pad=15), atol=1e-4)
    assert pad.frames.tolist() == list(range(41))


def test_dense(dense_model, video):
    got = predict(dense_model, video, chunk=9, progress=False)
    np.testing.assert_allclose(got.outputs["mixture"], _whole(dense_model, video), atol=1e-4)


def test_files(model, video, tmp_path):
    output = tmp_path / "new" / "folder"
    got = predict(model, video, output=output, initial="omit", maps="npz", progress=False)
    assert {p.name for p in output.iterdir()} == {
        "film.mp4",
        "index.html",
        "viewer",
        "maps.npz",
        "candidates.csv",
        "prediction.npz",
        "prediction.json",
    }
    maps = read_maps(output / "maps.npz", [15, 40])
    assert maps.shape == (2, *SIZE)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1.0, atol=1e-5)
    np.testing.assert_array_equal(maps[1], got.map(40))
    with pytest.raises(KeyError, match="000014"):
        read_maps(output / "maps.npz", [14, 15])
    with np.load(output / "prediction.npz") as arrays:
        np.testing.assert_array_equal(arrays["mixture"], got.outputs["mixture"])
    rows = list(csv.DictReader((output / "candidates.csv").open()))
    assert {int(row["frame"]) for row in rows} == set(range(15, 41))
    first = got.candidates[0][0]
    assert float(rows[0]["x"]) == pytest.approx(first[0], abs=1e-4)
    summary = json.loads((output / "prediction.json").read_text())
    assert summary["predicted_frames"] == 26
    with av.open(str(output / "film.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert sum(1 for _ in film.decode(stream)) == 41
    with pytest.raises(IndexError, match="frame=3"):
        got.map(3)


def test_film_is_coloured_where_the_map_is_high(model, video, tmp_path):
    got = predict(model, video, output=tmp_path, initial="omit", candidates=0, progress=False)
    film = np.stack(list(open_video(tmp_path / "film.mp4").frames())).astype(int)
    plain = np.stack(list(open_video(video).frames())).astype(int)
    changed = np.abs(film - plain).sum(-1)
    assert changed[:15].mean() < 15  # no prediction: the unchanged frame
    saliency = got.map(30)
    high = saliency > 0.5 * saliency.max()
    low = saliency < 0.03 * saliency.max()
    assert changed[30][high].mean() > 60
    if low.any():
        assert changed[30][low].mean() < changed[30][high].mean() / 3


def test_png_maps_and_size(model, video, tmp_path):
    predict(model, video, output=tmp_path, maps="png", film=False, size=(20, 30), progress=False)
    assert not (tmp_path / "film.mp4").exists()
    pictures = sorted((tmp_path / "maps").iterdir())
    assert len(pictures) == 41
    picture = cv2.imread(str(pictures[40]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (20, 30)
    assert picture.max() == 255


def test_a_folder_of_frames_and_a_model_file(model, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    rng = np.random.default_rng(0)
    for index in range(17):
        cv2.imwrite(str(frames / f"{index:03d}.png"), rng.integers(0, 255, (21, 31, 3)))
    model.save(tmp_path / "model.keras")
    got = predict(
        tmp_path / "model.keras", frames, output=tmp_path / "out", maps="npz", progress=False
    )
    assert read_maps(tmp_path / "out" / "maps.npz").shape == (17, 21, 31)
    assert open_video(tmp_path / "out" / "film.mp4").num_frames == 17
    np.testing.assert_allclose(got.outputs["mixture"][15:], _whole(model, frames), atol=1e-4)


def test_frames_are_resized_as_the_reader_does(video):
    opened = open_video(video)
    for size in ((32, 32), (100, 90)):
        for frame, expected in zip(opened.frames(), opened.frames(size=size)):
            np.testing.assert_array_equal(resize(frame, size), expected)


def test_few_frames(model, tmp_path):
    short = _write(tmp_path / "short.mp4", 5)
    with pytest.raises(ValueError, match=r'at least 16 frames.*initial="pad".*5 frames'):
        predict(model, short, output=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    got = predict(model, short, initial="pad", progress=False)
    assert got.outputs["mixture"].shape == (5, 3, 6)


def test_output_folder(model, video, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="new or empty folder"):
        predict(model, video, output=tmp_path, progress=False)
    predict(model, video, output=tmp_path, overwrite=True, film=False, maps=None, progress=False)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    with pytest.raises(OutputError, match="which is a file"):
        predict(model, video, output=tmp_path / "notes.txt", progress=False)
    with pytest.raises(OutputError, match="can be written"):
        predict(model, video, output="/proc/nowhere/out", progress=False)


def test_a_failure_leaves_no_half_written_file(model, video, tmp_path, monkeypatch):
    from zoo.inference import saliency as module

    calls = []

    def failing(outputs, index, height, width):
        calls.append(1)
        if len(calls) == 20:
            raise RuntimeError("the disk is full")
        return np.full((height, width), 1 / (height * width), np.float32)

    monkeypatch.setattr(module, "output_map", failing)
    with pytest.raises(RuntimeError, match="the disk is full"):
        predict(model, video, output=tmp_path, maps="npz", progress=False)
    assert list(tmp_path.iterdir()) == []
    assert not [t for t in threading.enumerate() if t.name in ("decode", "write")]


@pytest.mark.parametrize(("size", "most"), [((360, 640), 4), ((720, 1280), 1), ((9, 9), 4)])
def test_large_frames_are_decoded_in_smaller_pieces(video, size, most):
    pieces = list(_decoded(open_video(video), (112, 112), size))
    assert max(len(shown) for shown, _ in pieces) == most
    assert {frame.shape for shown, _ in pieces for frame in shown} == {(*size, 3)}


def test_a_reader_that_stops_early_ends_the_decoder(model, video):
    pieces = run_model(model, open_video(video))
    next(pieces)
    pieces.close()
    assert not [t for t in threading.enumerate() if t.name == "decode"]


def test_bad_arguments(model, video):
    for arguments, match in (
        ({"initial": "first"}, "`initial` must be one of"),
        ({"maps": "jpg"}, "`maps` must be"),
        ({"chunk": 0}, "`chunk` must be at least 1"),
        ({"candidates": -1}, "`candidates` must be"),
        ({"size": (0, 5)}, "`size` must be positive"),
    ):
        with pytest.raises(ValueError, match=match):
            predict(model, video, progress=False, **arguments)
    inputs = keras.Input((None, 32, 32, 3), name="rgb")
    other = keras.Model(inputs, {"pooled": keras.layers.GlobalMaxPooling3D()(inputs)})
    with pytest.raises(ValueError, match="output named 'log_density', 'mixture' or 'saliency'"):
        predict(other, video, progress=False)


def test_a_film_keeps_stamps_shape_and_sound(model, tmp_path):
    """Variable frame rate, anamorphic pixels, a late picture and a damaged packet."""
    stamps = [50, 51, 52, 60, 61, 62, 63, 64, 65, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 150]

    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)

    path = write_video(
        tmp_path / "a.mp4", count=20, stamps=stamps, sound=5.0, setup=wide, options={"bf": "0"}
    )
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][12]
    data = bytearray(path.read_bytes())
    data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(bytes(data))
    got = zoo.predict(str(path), model, output=tmp_path / "out", initial="pad", progress=False)
    source, film = open_video(path), open_video(tmp_path / "out" / "film.mp4")
    assert film.num_frames == source.num_frames == got.num_frames == 19
    np.testing.assert_allclose(film.source_times, source.source_times, atol=1e-4)
    shape = film.sample_aspect * Fraction(film.width, film.height)
    assert float(shape) == pytest.approx(64 / 45 * source.width / source.height, rel=0.02)
    with av.open(str(tmp_path / "out" / "film.mp4")) as container:
        assert container.streams.audio[0].duration * container.streams.audio[0].time_base > 1.9
    told = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert told["damage"] == list(got.damage) and len(got.damage) == 1
    assert "1 damaged place: " in got.summary()
    assert told["video_seconds"] == pytest.approx(source.index.end) and not told["fps_assumed"]
    assert got.rows()[-1]["time"] == pytest.approx(source.source_times[-1])
    with pytest.raises(ValueError, match="strict"):
        zoo.predict(str(path), model, strict=True, progress=False)


def test_freed_memory_is_returned_every_64_frames(monkeypatch):
    asked = []
    monkeypatch.setattr(freed_memory, "_malloc_trim", lambda: asked.append)
    freed = freed_memory.FreedMemory()
    for _ in range(40):
        freed.after(4)
    assert asked == [0, 0]
    monkeypatch.setattr(freed_memory, "_malloc_trim", lambda: None)  # not glibc
    freed.after(64)
