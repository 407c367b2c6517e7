"""The general model, which is used by default."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import zoo
from tests.real_data import data_dir
from zoo.cli.main import main
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.live import predict_live
from zoo.inference.streaming.adapt import adapt
from zoo.inference.streaming.frame_size import fitting_size
from zoo.inference.streaming.stream import Stream
from zoo.models.loading import load_general


def film(path, frames):
    height, width = frames[0].shape[:2]
    with VideoWriter(path, fps=25, height=height, width=width) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def noise(count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return list(rng.integers(0, 256, (count, height, width, 3)).astype("uint8"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((720, 1280), (216, 384)),
        ((1920, 1080), (384, 216)),
        ((1079, 1279), (272, 320)),
        ((64, 64), (320, 320)),
        ((2160, 3840), (216, 384)),
        ((1, 4000), (8, 384)),
    ],
)
def test_fitting_size(given, expected):
    assert fitting_size(*given) == expected
    with pytest.raises(ValueError, match="at least 1 pixel"):
        fitting_size(0, 5)


@pytest.mark.parametrize(("count", "size"), [(1, (64, 64)), (9, (96, 54)), (3, (48, 200))])
def test_a_video_of_any_shape_without_a_model(tmp_path, count, size):
    path = film(tmp_path / "clip.mp4", noise(count, *size))
    prediction = zoo.predict(path, output=tmp_path / "out", progress=False)
    assert prediction.outputs["log_density"].shape[0] == count
    found = prediction.map(count - 1)
    assert found.shape == size
    assert found.sum() == pytest.approx(1.0, abs=1e-4) and np.isfinite(found).all()
    assert (tmp_path / "out" / "film.mp4").is_file()
    assert (tmp_path / "out" / "log_density.npy").is_file()


@pytest.mark.slow
def test_bfloat16_is_built_at_once(monkeypatch):
    video = noise(7, 16, 96)
    expected = zoo.predict(np.stack(video), progress=False).outputs["log_density"]
    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "set_weights", lambda *_: pytest.fail("the model is copied"))
        prediction = zoo.predict(np.stack(video), precision="bfloat16", progress=False)
    error = np.abs(prediction.outputs["log_density"] - expected)
    assert 0 < error.max() < 1 and error.mean() < 0.1
    assert keras.config.dtype_policy().name == "float32"
    model = load_general((40, 64), policy="mixed_bfloat16")
    readout = model.get_layer("readout").layer
    assert readout.get_layer("logits").compute_dtype == "float32"
    assert adapt(model, precision="bfloat16", any_length=False) is model
    assert adapt(model, precision="float32", any_length=False) is not model


def test_argument_order_and_the_models_name(tmp_path):
    path = film(tmp_path / "clip.mp4", noise(4, 16, 96))
    model = zoo.load("general", verbose=False)
    maps = [
        zoo.predict(*arguments, progress=False).map(3)
        for arguments in ((path,), (path, "general"), (model, path))
    ]
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], rtol=1e-3)


@pytest.mark.parametrize("value", [0, 200])
def test_a_constant_video_gives_maps(tmp_path, value):
    path = film(tmp_path / "clip.mp4", [np.full((64, 96, 3), value, "uint8")] * 3)
    prediction = zoo.predict(path, progress=False)
    assert all(np.isfinite(prediction.map(frame)).all() for frame in range(3))
    assert all(np.isfinite(places).all() for places in prediction.candidates)


def test_a_photograph_on_the_command_line(tmp_path, capsys):
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), noise(1, 90, 60)[0])
    assert main(["predict", str(path), "-o", str(tmp_path / "out")]) == 0
    picture = cv2.imread(str(tmp_path / "out" / "picture.png"))
    assert picture.shape == (90, 60, 3)
    assert not (tmp_path / "out" / "film.mp4").exists()


def test_a_stream_of_frames_live(tmp_path):
    frames = noise(5, 48, 80)
    live = predict_live(None, frames, output=tmp_path / "live")
    assert live.delay == 0 and live.num_frames == 5 and len(live.latency) == 5
    held = np.load(tmp_path / "live" / "log_density.npy")
    assert held.shape[0] == 5
    whole = Stream(zoo.load("general", verbose=False))
    whole.fit(48, 80)
    size = whole.frame_shape[:2]
    assert held.shape[1:] == (size[0] // 4, size[1] // 4)


@pytest.mark.slow
def test_one_stream_for_videos_of_two_sizes(tmp_path):
    stream = Stream(zoo.load("general", verbose=False))
    wide = film(tmp_path / "wide.mp4", noise(3, 16, 96))
    high = film(tmp_path / "high.mp4", noise(3, 96, 16))
    first = zoo.predict(wide, stream, progress=False).map(2)
    assert zoo.predict(high, stream, progress=False).map(2).shape == (96, 16)
    np.testing.assert_allclose(zoo.predict(wide, stream, progress=False).map(2), first, rtol=1e-4)


@pytest.mark.slow
def test_the_memory_lasts_equally_long_at_every_frame_rate():
    video = np.stack(noise(24, 16, 96))

    def densities(model=None, rate=25.0):
        arguments = (video,) if model is None else (video, model)
        return zoo.predict(*arguments, fps=rate, progress=False).outputs["log_density"]

    stream = Stream(zoo.load("general", verbose=False))
    found = {rate: densities(stream, rate) for rate in (60.0, 25.0)}
    np.testing.assert_allclose(densities(stream, 60.0), found[60.0], atol=1e-3)  # fitted again
    for rate, past, earlier in ((60.0, 20, 6), (25.0, 8, 2)):
        model = zoo.general_saliency(weights="general", frame_rate=rate)
        assert model.get_layer("past").frames == past
        assert model.get_layer("earlier").frames == earlier
        np.testing.assert_allclose(densities(model, rate), found[rate], atol=1e-3)
    np.testing.assert_allclose(densities(), found[25.0], atol=1e-3)
    fixed = densities(zoo.general_saliency(weights="general", frame_rate=None))
    assert np.abs(found[25.0] - fixed).max() > 0.01
    assert np.abs(found[60.0] - fixed).max() > 0.01


@pytest.mark.slow
def test_the_general_model_is_better_than_the_centre_on_real_films(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from general import clips_of, score_clip

    root = data_dir("gaze")
    stream = Stream(zoo.load("general", verbose=False))
    centre = {"mean": (0.51, 0.46), "sigma": (0.22, 0.18)}
    (clip,) = (c for c in clips_of("natural clips", root) if c.name == "Lee")
    found = score_clip(clip, {"general": stream}, centre, every=10)
    assert found["general"][0] > 2 * found["centre"][0]
    assert found["general"][3] > 1.0
