"""How a prediction is shown: repr, pictures, rows."""

import csv
import json

import av
import cv2
import keras
import numpy as np
import pytest

import zoo
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.predict import predict

FPS = 10


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.rmdn(image_size=32, width=0.05, units=4, num_components=2, dense=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder of ten frames at 10 fps, without sound."""
    folder = tmp_path_factory.mktemp("clip")
    rng = np.random.default_rng(0)
    base = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (64, 48))
    with VideoWriter(folder / "silent.mp4", fps=FPS, height=48, width=64) as writer:
        for index in range(10):
            writer.write(np.ascontiguousarray(np.roll(base, 3 * index, axis=1)))
    return folder


def with_tone(folder, name, codec, seconds=1.5):
    path = folder / name
    with av.open(str(folder / "silent.mp4")) as given, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(given.streams.video[0])
        audio = out.add_stream(codec, rate=48_000, layout="mono")
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        times = np.arange(round(48_000 * seconds)) / 48_000
        wave = (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)
        for at in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], "s16", "mono")
            frame.sample_rate, frame.pts = 48_000, at
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path


def sound(path):
    """Samples and rate of a file's sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None, None
        assert container.streams.audio[0].layout.name == "mono"
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        return np.concatenate(frames).astype(float), container.streams.audio[0].rate


@pytest.mark.parametrize(
    ("name", "codec", "seconds"), [("a.mp4", "aac", 1.5), ("p.mkv", "pcm_s16le", 1.0)]
)
def test_a_film_has_the_sound(model, clip, tmp_path, name, codec, seconds):
    path = with_tone(clip, name, codec, seconds)
    got = predict(path, model, output=tmp_path / "out", progress=False)
    assert open_video(got.files["film"]).num_frames == 10
    samples, rate = sound(got.files["film"])
    assert 0.9 < len(samples) / rate < 1.1  # no longer than the film
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert abs(spectrum.argmax() * rate / len(samples) - 440) < 2
    with av.open(got.files["film"]) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        assert (container.streams.audio[0].start_time or 0) == 0


def test_a_film_of_a_part_has_its_sound(model, clip, tmp_path):
    path = with_tone(clip, "part.mp4", "aac")
    video = open_video(path, start=0.5)
    got = predict(video, model, output=tmp_path / "out", progress=False)
    assert got.num_frames == 5
    samples, rate = sound(got.files["film"])
    assert 0.4 < len(samples) / rate < 0.6


def test_a_silent_video_gives_a_silent_film(model, clip, tmp_path):
    got = predict(clip / "silent.mp4", model, output=tmp_path / "out", progress=False)
    assert sound(got.files["film"]) == (None, None)
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_the_sound_can_be_left_out(model, clip, tmp_path):
    path = with_tone(clip, "told.mp4", "aac")
    got = predict(path, model, output=tmp_path / "out", sound=False, progress=False)
    assert open_video(got.files["film"]).num_frames == 10
    assert sound(got.files["film"]) == (None, None)
    assert sound(got.save(tmp_path / "saved")["film"])[0] is not None
    assert sound(got.save(tmp_path / "silent", sound=False)["film"]) == (None, None)


def test_repr_and_html(model, clip):
    got = predict(clip / "silent.mp4", model, progress=False)
    assert repr(got) == ("Prediction(silent.mp4: 10 of 10 frames, 48x64; mixture (10, 2, 6))")
    assert got.picture(3).shape == (48, 64, 3)
    plain = open_video(clip / "silent.mp4").read([3])[0]
    assert not np.array_equal(got.picture(3), plain)
    axes = got.plot(3)
    assert axes.get_title() == "silent.mp4, frame 3, 0.30 s"
    assert got.plot(ax=axes) is axes
    html = got._repr_html_()
    assert html.startswith("<figure") and "data:image/png;base64," in html and "alt=" in html
    assert got.strip(3).shape == (140, 3 * 187, 3)
    with pytest.raises(IndexError, match="frame=10"):
        got.picture(10)
    rows = got.rows()
    assert {row["frame"] for row in rows} == set(range(10))
    assert rows[0].keys() == {"video", "frame", "time", "rank", "x", "y", "share"}
    assert rows[-1]["time"] == pytest.approx(0.9)


def test_the_html_survives_a_video_that_is_gone(model, clip, tmp_path):
    path = tmp_path / "gone <b>.mp4"
    path.write_bytes((clip / "silent.mp4").read_bytes())
    got = predict(path, model, progress=False)
    path.unlink()
    assert "cannot be read" in got._repr_html_() and "<b>.mp4" not in got._repr_html_()


def test_show(model, clip, monkeypatch):
    import matplotlib.pyplot as plt

    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(plt.gcf()))
    predict(clip / "silent.mp4", model, progress=False).show()
    assert len(shown) == 1 and not plt.get_fignums()


def test_only_to_dataframe_needs_pandas(model, clip, monkeypatch):
    import sys

    got = predict(clip / "silent.mp4", model, progress=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        got.to_dataframe()


def test_saving_later_writes_the_same(model, clip, tmp_path):
    first = predict(clip / "silent.mp4", model, output=tmp_path / "one", maps="npz", progress=False)
    again = predict(clip / "silent.mp4", model, progress=False)
    files = again.save(tmp_path / "two", maps="npz")
    assert files.keys() == first.files.keys()
    for name in ("candidates.csv",):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()
    with np.load(first.files["maps"]) as one, np.load(files["maps"]) as two:
        assert one.files == two.files
        np.testing.assert_array_equal(one["000004"], two["000004"])
    frames = [np.stack(list(open_video(f["film"]).frames())) for f in (first.files, files)]
    assert np.abs(frames[0].astype(int) - frames[1]).mean() < 1
    one, two = (json.loads((tmp_path / n / "prediction.json").read_text()) for n in ("one", "two"))
    assert two.keys() <= one.keys() and two["outputs"] == one["outputs"]
    with pytest.raises(ValueError, match="new or empty"):
        again.save(tmp_path / "two")
    again.save(tmp_path / "two", film=False, overwrite=True)
    assert not (tmp_path / "two" / "film.mp4").exists()


def test_class_names_of_the_file_are_used(clip, tmp_path):
    keras.utils.set_random_seed(0)
    options = {"image_size": 32, "width": 0.05, "units": 4, "num_components": 2, "dense": True}
    zoo.save(zoo.joint(num_classes=2, **options), tmp_path / "j.keras", classes=("walk", "run"))
    got = predict(clip / "silent.mp4", tmp_path / "j.keras", output=tmp_path / "o", progress=False)
    assert {name for name, _ in got.top()} == {"walk", "run"} and got.label in repr(got)
    assert got.rows()[0]["action"] == got.label
    saved = got.save(tmp_path / "p")
    assert saved.keys() == got.files.keys()
    assert json.loads((tmp_path / "p" / "action.json").read_text())["label"] == got.label
    soft = zoo.soft_attention(
        num_classes=2, num_frames=4, units=4, backbone=zoo.backbones.small_cnn(image_size=32)
    )
    zoo.save(soft, tmp_path / "s.keras", classes=("walk", "run"))
    got = predict(clip / "silent.mp4", tmp_path / "s.keras", output=tmp_path / "s", progress=False)
    assert {row["action"] for row in got.rows()} == {"walk", "run"}
    assert got.summary().endswith("index.html") and "<figure" in got._repr_html_()
    assert got.save(tmp_path / "t").keys() == got.files.keys()
    table = list(csv.DictReader((tmp_path / "o" / "candidates.csv").open()))
    assert table
