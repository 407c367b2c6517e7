"""Action models on a whole video: classes, attention and pictures."""

import json

import cv2
import keras
import numpy as np
import pytest

import zoo
from zoo.cli.main import main
from zoo.datasets import Action, Frames, Samples, Segments, Windows, moving_targets
from zoo.datasets.record import Record
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.actions.naming import predict_action, spread_frames
from zoo.inference.predict import predict
from zoo.training.actions.predictions import predict_videos

COUNT, SIDE = 23, 24


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    base = cv2.resize(
        np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8), (62, 46)
    )
    with VideoWriter(path, fps=25, height=46, width=62) as writer:
        for index in range(COUNT):
            writer.write(np.ascontiguousarray(np.roll(base, index * index // 5, axis=1)))
    return path


def _backbone():
    frame = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(1 / 64)(frame)
    return keras.Model(frame, keras.layers.Conv2D(5, 7, 6, activation="relu")(x))


@pytest.fixture(scope="module")
def soft():
    keras.utils.set_random_seed(0)
    return zoo.soft_attention(
        num_classes=7, num_frames=6, backbone=_backbone(), units=6, num_layers=1
    )


def _when(**options):
    keras.utils.set_random_seed(0)
    return zoo.spatiotemporal_attention(
        num_classes=7, num_frames=9, backbone=_backbone(), filters=4, mask_filters=(3,), **options
    )


@pytest.fixture(scope="module")
def when():
    return _when(steps=4)


def _frames(video):
    return np.stack(list(open_video(video).frames(size=(SIDE, SIDE))))


def test_blocks_are_averaged(soft, video, tmp_path):
    frames = _frames(video)
    for stride in (1, 4):
        got = predict(soft, video, stride=stride, progress=False)
        starts = sorted({*range(0, COUNT - 5, stride), COUNT - 6})
        blocks = np.stack([frames[at : at + 6] for at in starts]).astype("float32")
        outputs = {k: np.asarray(v) for k, v in soft(blocks, training=False).items()}
        np.testing.assert_allclose(got.outputs["action"], outputs["action"].mean((0, 1)), rtol=1e-4)
        spatial = got.outputs["spatial_attention"]
        assert spatial.shape == (COUNT, *outputs["spatial_attention"].shape[2:])
        holding = [(b, 10 - at) for b, at in enumerate(starts) if 0 <= 10 - at < 6]
        expected = np.mean([outputs["spatial_attention"][b, t] for b, t in holding], axis=0)
        np.testing.assert_allclose(spatial[10], expected, rtol=1e-4)
        np.testing.assert_allclose(spatial.sum((1, 2)), 1, rtol=1e-4)
    record = Record("a", str(video), label=0)
    given = {"inputs": [Frames((SIDE, SIDE))], "targets": [Action(7)], "cache": tmp_path}
    (whole,) = predict_videos(soft, Samples([record], Windows(6), **given), 4)
    one = predict(soft, video, progress=False)
    np.testing.assert_allclose(one.outputs["action"], whole["action"], rtol=1e-4)
    assert np.ptp(one.outputs["action"]) > 1e-4


def test_frames_spread_over_the_video(when, video):
    frames = _frames(video)
    got = predict(when, video, progress=False)
    chosen = Segments(9).all(np.arange(COUNT))[0]
    np.testing.assert_array_equal(got.frames, chosen)
    outputs = when(frames[chosen][None].astype("float32"), training=False)
    for name in ("action", "spatial_attention", "temporal_attention"):
        np.testing.assert_allclose(got.outputs[name], np.asarray(outputs[name])[0], rtol=2e-4)
    assert got.outputs["temporal_attention"].shape == (4, 9)
    for length, count in ((23, 9), (50, 50), (7, 3), (2, 5)):
        chosen = Segments(count).all(np.arange(length))[0]
        np.testing.assert_array_equal(spread_frames(length, count), chosen)


def test_files(when, soft, video, tmp_path):
    classes = moving_targets.CLASSES
    got = predict(when, video, output=tmp_path / "when", classes=classes, progress=False)
    names = {"attention.mp4", "attention.png", "when.png", "prediction.npz", "attention.json"}
    names |= {"index.html", "viewer"}
    assert {p.name for p in (tmp_path / "when").iterdir()} == names
    film = open_video(got.files["film"])
    assert film.num_frames == COUNT and film.height > 46  # the strip is below the frames
    summary = json.loads((tmp_path / "when" / "attention.json").read_text())
    best = int(got.outputs["action"].argmax())
    assert summary["top"][0]["class"] == classes[best] == got.top(1)[0][0]
    np.testing.assert_allclose(sum(row["probability"] for row in summary["top"]), 1, atol=0.6)
    np.testing.assert_allclose(
        summary["temporal_attention"], got.outputs["temporal_attention"].mean(0), rtol=1e-5
    )
    assert len(summary["spatial_attention_peaks"]) == len(summary["frames"]) == 9
    with np.load(got.files["arrays"]) as arrays:
        np.testing.assert_array_equal(arrays["action"], got.outputs["action"])
    shown = cv2.imread(got.files["picture"])
    assert shown.shape[1] == 8 * 62 and shown.shape[0] > 2 * 46
    other = predict(soft, video, output=tmp_path / "soft", film=False, progress=False)
    assert {p.name for p in (tmp_path / "soft").iterdir()} == names - {"attention.mp4", "when.png"}
    assert other.top(1)[0][0] == str(other.outputs["action"].argmax())


def test_the_film_is_coloured_at_the_attended_place(when, video, tmp_path):
    got = predict(when, video, output=tmp_path / "out", progress=False)
    film = np.stack(list(open_video(got.files["film"]).frames())).astype(int)[:, :46]
    changed = np.abs(film - np.stack(list(open_video(video).frames()))).sum(-1)
    at = int(np.argmax(got.outputs["spatial_attention"].max((1, 2))))
    heat = cv2.resize(got.outputs["spatial_attention"][at], (62, 46))
    moved = changed[got.frames[at]]
    assert moved[heat > 0.9 * heat.max()].mean() > moved[heat < np.median(heat)].mean()


def test_a_short_video(when, soft, tmp_path):
    path = tmp_path / "short.mp4"
    with VideoWriter(path, fps=25, height=46, width=62) as writer:
        for index in range(5):
            writer.write(np.full((46, 62, 3), 40 * index, np.uint8))
    for model, least in ((when, 9), (soft, 6)):
        with pytest.raises(ValueError, match=rf"at least {least} frames.*5 frames"):
            predict(model, path, progress=False)
    padded = _when(steps=4, padded=True)
    got = predict(padded, path, progress=False)
    assert got.frames.tolist() == [0, 1, 2, 3, 4]
    weights = got.outputs["temporal_attention"]
    assert weights.shape == (4, 5)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-4)  # none on the padding


def test_a_baseline_without_attention_and_any_number_of_frames(video, tmp_path):
    keras.utils.set_random_seed(0)
    model = zoo.soft_attention(
        num_classes=3,
        num_frames=None,
        backbone=_backbone(),
        attention="average",
        units=4,
        num_layers=1,
    )
    got = predict(model, video, output=tmp_path / "out", progress=False)
    assert set(got.outputs) == {"action"} and got.outputs["action"].shape == (3,)
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"attention.json", "prediction.npz", "index.html", "viewer"}


def test_bad_input(when, soft, video, tmp_path):
    with pytest.raises(
        ValueError, match=r"`classes` must name every class of the model.*2 names, 7 classes"
    ):
        predict(when, video, classes=("a", "b"), progress=False)
    with pytest.raises(ValueError, match="`stride` must be at least 1"):
        predict(soft, video, stride=0, progress=False)
    with pytest.raises(ValueError, match="`stride` is for models that predict an action at every"):
        predict(when, video, stride=2, progress=False)
    for unused in ({"maps": "npz"}, {"chunk": 2}, {"candidates": 3}, {"initial": "pad"}):
        with pytest.raises(ValueError, match=f"predicts no saliency: `{next(iter(unused))}` must"):
            predict(when, video, **unused, progress=False)
    head = zoo.soft_attention(
        num_classes=3, num_frames=4, backbone=None, feature_shape=(2, 2, 3), units=4, num_layers=1
    )
    with pytest.raises(ValueError, match="must be joined to its backbone"):
        predict_action(head, open_video(video), size=(46, 62))
    rmdn = zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3)
    with pytest.raises(ValueError, match="`classes` applies only to models"):
        predict(rmdn, video, classes=("a",), progress=False)
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="'mixture' or 'saliency'"):
        predict(plain, video, progress=False)


def test_class_names_in_the_file_of_a_saliency_model_do_no_harm(video, tmp_path):
    rmdn = zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3)
    zoo.save(rmdn, tmp_path / "rmdn.keras", classes=("a", "b"))
    assert "mixture" in predict(tmp_path / "rmdn.keras", video, progress=False).outputs


def test_command_line(when, video, tmp_path, capsys):
    when.save(tmp_path / "when.keras")
    names = tmp_path / "names.txt"
    names.write_text("\n".join("abcdefg"))
    arguments = ["predict", str(tmp_path / "when.keras"), str(video), "-o"]
    assert main([*arguments, str(tmp_path / "one"), "--classes", "moving_targets"]) == 0
    out = capsys.readouterr().out
    assert any(name in out for name in moving_targets.CLASSES) and "index.html" in out
    options = [str(tmp_path / "two"), "--classes", str(names), "--no-film"]
    assert main([*arguments, *options]) == 0
    names.write_text("a")
    assert main([*arguments, str(tmp_path / "three"), "--classes", str(names)]) == 2
    assert "1 names, 7 classes" in capsys.readouterr().err


def test_a_prediction_keeps_the_compilation_of_the_given_models(video):
    frame = _backbone()
    frame.compile("sgd", loss="mse")
    model = zoo.soft_attention(num_classes=7, num_frames=6, backbone=frame, units=6, num_layers=1)
    rgb = keras.Input((6, SIDE, SIDE, 3), name="rgb")
    pooled = keras.layers.GlobalAveragePooling3D()(rgb)
    plain = keras.Model(rgb, {"action": keras.layers.Dense(7, "softmax")(pooled)})
    for each in (model, plain):
        each.compile("sgd", loss={"action": "mse"})
        predict(each, video, progress=False)
        assert each.loss == {"action": "mse"}
    assert frame.loss == "mse"
