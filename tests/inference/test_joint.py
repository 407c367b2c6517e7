"""Joint models on a whole file: equality to a single call, the film, the evaluated action."""

import dataclasses
import json

import cv2
import keras
import numpy as np
import pytest

import zoo
from zoo.cli.main import main
from zoo.datasets import moving_targets
from zoo.datasets.video.reading import open_video
from zoo.datasets.video.writer import VideoWriter
from zoo.inference.evaluating.actions import ActionReader
from zoo.inference.streaming.joint import ActionPass, saliency_part
from zoo.visualize.joint_film import LINE, STRIP, JointFilm

SIZE = (46, 62)
TINY = {"num_classes": 3, "image_size": 32, "width": 0.05, "units": 6, "num_components": 3}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    base = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    base = cv2.resize(base, SIZE[::-1])
    with VideoWriter(path, fps=25, height=SIZE[0], width=SIZE[1]) as writer:
        for index in range(75):
            writer.write(np.ascontiguousarray(np.roll(base, index, axis=1)))
    return path


def in_one_call(model, video):
    frames = np.stack(list(open_video(video).frames(size=(32, 32))))
    outputs = model(frames[None].astype("float32"), training=False)
    return {name: keras.ops.convert_to_numpy(value)[0] for name, value in outputs.items()}


@pytest.mark.parametrize(
    "options",
    [
        {"attend": "feature", "pooling": "attention"},
        {"attend": "clip"},
        {"attend": "clip", "dense": True},
        {"attend": "feature", "dense": True, "feedback": True, "action_units": 5},
        {"attend": None, "dense": True, "causal": True},
        {"attend": "feature", "dense": True, "local": True, "endpoint": "conv5b"},
    ],
)
def test_equals_the_whole_video_in_one_call(options, video):
    keras.utils.set_random_seed(0)
    model = zoo.joint(**TINY, **options)
    whole = in_one_call(model, video)
    found = zoo.predict(model, video, initial="omit", progress=False)
    np.testing.assert_allclose(found.outputs["mixture"], whole["mixture"], atol=1e-4)
    np.testing.assert_allclose(found.action, whole["action"], atol=1e-4)
    assert found.temporal.shape == (len(found.frames),)
    if "temporal_attention" in whole:
        np.testing.assert_allclose(found.temporal, whole["temporal_attention"], atol=1e-4)


def test_files(video, tmp_path):
    model = zoo.joint(**TINY)
    names = ("run", "walk", "eat")
    found = zoo.predict(model, video, output=tmp_path / "out", classes=names, progress=False)
    assert len(found.frames) == len(found.temporal) == 75
    assert found.label in names
    summary = json.loads((tmp_path / "out/action.json").read_text())
    assert summary["label"] == found.label
    assert sum(summary["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)
    film = open_video(found.files["film"])
    assert (film.num_frames, film.height) == (75, SIZE[0] + STRIP + LINE)
    model.save(tmp_path / "still_whole.keras")
    again = zoo.predict(zoo.load(tmp_path / "still_whole.keras"), video, progress=False)
    np.testing.assert_allclose(again.action, found.action, atol=1e-5)
    with pytest.raises(ValueError, match="`stride` must not be changed"):
        zoo.predict(model, video, stride=2, progress=False)
    with pytest.raises(ValueError, match="one name for each of the model's 3 actions"):
        zoo.predict(model, video, classes=("a", "b"), progress=False)


def test_film_marks_the_moment(tmp_path):
    weights = np.array([0.0, 1.0])
    film = JointFilm(tmp_path / "f.mp4", fps=5, height=20, width=40, text="run", weights=weights)
    frame = np.zeros((20, 40, 3), np.uint8)
    with film:
        picture = film.picture(frame, None)
        film.write(frame, None)
        film.write(frame, None)
    strip = picture[-1]
    assert (strip[0] == 0).all() and (strip[35] == 255).all()
    assert strip[10, 0] > 200 and strip[10, 1] < 100


def test_mixtures_of_another_length_are_an_error(video):
    action = ActionPass(zoo.joint(**TINY))
    frames = np.zeros((30, 32, 32, 3), np.uint8)
    with pytest.raises(ValueError, match=r"the same length\. Received: 40 mixtures, 0 of them"):
        action(iter([frames]), np.zeros((40, 3, 6), "float32"))


def test_a_model_with_teacher_forcing_cannot_predict(video):
    model = zoo.joint(**TINY, feedback=True, teacher_forcing=True)
    with pytest.raises(ValueError, match="teacher forcing can only be trained"):
        saliency_part(model)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    return moving_targets.make(root, num_videos=3, frames=18, size=(48, 48), viewers=3)


def test_evaluate(records, tmp_path):
    model = zoo.joint(**{**TINY, "num_classes": 7})
    found = zoo.evaluate(
        model, records, baselines=("uniform",), output=tmp_path / "out", progress=False
    )
    assert np.isfinite(found.table["joint"]["nss"])
    assert found.action["joint"]["videos"] == 3
    actions = found.actions["joint"]
    whole = in_one_call(model, records[0].video)["action"]
    np.testing.assert_allclose(actions[records[0].name]["probabilities"], whole, atol=1e-4)
    right = [np.argmax(one["probabilities"]) == one["label"] for one in actions.values()]
    assert found.action["joint"]["accuracy"] == pytest.approx(np.mean(right))
    held = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert held["action"]["joint"]["videos"] == 3
    assert "joint, action: accuracy" in (tmp_path / "out/index.html").read_text()


@pytest.mark.slow
def test_evaluate_several_models_mirrored(records):
    """A joint model in a dict is measured like one alone, and `mirror` applies to it."""
    options = {**TINY, "num_classes": 7}
    models = {"a": zoo.joint(**options, attend="clip", central_bias=2), "b": zoo.joint(**options)}
    models["saliency"] = zoo.rmdn(**{k: v for k, v in TINY.items() if k != "num_classes"})
    how = {"baselines": ("uniform",), "progress": False}
    plain = zoo.evaluate(models, records[:2], **how)
    assert list(plain.action) == ["a", "b"]
    mirrored = zoo.evaluate(models["a"], records[:2], mirror=True, **how)
    assert mirrored.table["joint"]["nss"] != plain.table["a"]["nss"]
    name = records[0].name
    predicted = zoo.predict(records[0].video, models["a"], mirror=True, progress=False)
    assert predicted.outputs["mixture"].shape == (18, 6, 6)
    found = mirrored.actions["joint"][name]["probabilities"]
    np.testing.assert_allclose(found, predicted.action, atol=1e-5)
    with pytest.raises(ValueError, match="`stride` is for models of long clips"):
        zoo.evaluate(models["a"], records[:2], stride=2, **how)


def test_evaluate_the_action_of_videos_without_gaze(records, tmp_path):
    model = zoo.joint(**{**TINY, "num_classes": 7})
    blind = [dataclasses.replace(record, gaze=None) for record in records[:2]]
    out = tmp_path / "out"
    found = zoo.evaluate(model, blind, output=out, progress=False)
    assert found.action["joint"]["videos"] == 2 and found.output == str(out)
    assert json.loads((out / "evaluation.json").read_text())["action"] == found.action
    assert "only the action was measured" in (out / "index.html").read_text()
    neither = [*blind, dataclasses.replace(blind[0], name="other", label=None)]
    with pytest.raises(ValueError, match=r"must have gaze or a label\. Received: 1 of 3"):
        zoo.evaluate(model, neither, progress=False)
    with pytest.raises(ValueError, match="at least 16 frames"):
        zoo.evaluate(model, [dataclasses.replace(blind[0], end=0.3)], progress=False)


def test_an_evaluation_that_is_repeated_computes_no_action_again(records, tmp_path, monkeypatch):
    model = zoo.joint(**{**TINY, "num_classes": 7})
    blind = [dataclasses.replace(record, gaze=None) for record in records[:2]]
    read, called = ActionReader.__call__, []
    monkeypatch.setattr(
        ActionReader,
        "__call__",
        lambda self, record: called.append(record.name) or read(self, record),
    )

    def evaluated():
        called.clear()
        return zoo.evaluate(model, blind, output=tmp_path, progress=False).actions["joint"]

    first = evaluated()
    assert called == [record.name for record in blind]
    (tmp_path / "actions" / f"{blind[1].name}.json").unlink()  # as if killed before the second
    assert evaluated() == first and called == [blind[1].name]
    head = model.get_layer("action")
    head.set_weights([-weight for weight in head.get_weights()])
    assert evaluated() != first and len(called) == 2


def test_the_command_measures_the_action(records, tmp_path, capsys):
    zoo.joint(**{**TINY, "num_classes": 7}).save(tmp_path / "tiny.keras")
    rows = [f"{r.video},{moving_targets.CLASSES[r.label]},test" for r in records]
    (tmp_path / "labels.csv").write_text("video,label,split\n" + "\n".join(rows) + "\n")
    table, out = str(tmp_path / "labels.csv"), str(tmp_path / "out")
    assert main(["evaluate", str(tmp_path / "tiny.keras"), "--data-dir", table, "-o", out]) == 0
    assert "tiny, action: accuracy" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "tiny.keras"), "--data-dir", table, "--flow", "dis"])
    assert "--flow for those with the input" in capsys.readouterr().err
