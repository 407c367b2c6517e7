import dataclasses
import json

import keras
import numpy as np
import pytest

import zoo
from zoo.datasets import moving_targets
from zoo.recipes import joint, rmdn
from zoo.training.joint_data import joint_records
from zoo.training.joint_scores import action_scores, confusion, predict_joint
from zoo.training.joint_windows import JointSource, JointWindows, joint_sources
from zoo.training.pseudo_gaze import DRAWN
from zoo.visualize.joint_board import confusion_picture

TINY = {
    "dataset": "moving_targets",
    "image_size": (32, 32),
    "width": 0.03,
    "units": 6,
    "num_components": 2,
    "window": 18,
    "batch_size": 2,
    "epochs": 2,
    "score_every": 9,
    "over_fixations": "mean",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "moving_targets"
    moving_targets.make(root, num_videos=6, frames=20, size=(48, 48), viewers=3)
    return str(root)


def source(name="a", label=None, watched=True, frames=20):
    rng = np.random.default_rng(0)
    points = rng.uniform(size=(frames, 2, 2)).astype("float32")
    if not watched:
        points[:] = np.nan
    inputs = rng.uniform(0, 255, (frames, 8, 8, 3)).astype("float32")
    return JointSource(name, inputs, points, name, label)


def test_weights_tell_who_has_which_task():
    sources = [source("a", label=3), source("b", label=1, watched=False), source("c"), source("d")]
    windows = JointWindows(sources, num_classes=4, length=10, batch_size=4, seed=0)
    assert windows.scale == {"mixture": 4 / 3, "action": 2.0}
    inputs, found, weights = windows.batch(0, 0)
    assert inputs.shape == (4, 10, 8, 8, 3)
    assert sorted(found["action"].tolist()) == [0, 0, 1, 3]
    for label, action, mixture, points in zip(
        found["action"], weights["action"], weights["mixture"], found["mixture"]
    ):
        assert action == (2.0 if label else 0.0)
        assert (mixture > 0) == np.isfinite(points).any() == (label != 1)
        assert mixture in (0, np.float32(4 / 3))
    again = windows.batch(0, 0)
    np.testing.assert_array_equal(inputs, again[0])


def test_teacher_is_there_as_often_as_scheduled():
    windows = JointWindows(
        [source("a", label=0)],
        num_classes=2,
        length=20,
        batch_size=8,
        per_video=8,
        teacher=lambda epoch: [1.0, 0.5, 0.0][epoch],
    )
    shares = []
    for epoch in range(3):
        inputs, found, _ = windows.batch(epoch, 0)
        given = np.isfinite(inputs["fixations"]).all((2, 3))
        np.testing.assert_array_equal(inputs["fixations"][given], found["mixture"][given])
        shares.append(given.mean())
    assert shares[0] == 1 and shares[2] == 0 and 0.3 < shares[1] < 0.7
    for inputs, _, _ in windows.in_order():
        assert np.isnan(inputs["fixations"]).all()


def test_multi_label_windows():
    hot = np.array([1.0, 0.0, 1.0], "float32")
    windows = JointWindows(
        [source("a", label=hot), source("b")],
        num_classes=3,
        multi_label=True,
        length=20,
        batch_size=2,
    )
    _, found, weights = windows.batch(0, 0)
    for label, weight in zip(found["action"], weights["action"]):
        assert weight == (2.0 if label.any() else 0.0)
        assert label.min() >= 0


def test_zoom_and_jitter_of_the_recipe_reach_the_windows():
    config = joint.Config(trainable_backbone=True, dense=True, window=10, zoom=0.6, jitter=0.3)
    plain = dataclasses.replace(config, zoom=1.0, jitter=0.0)
    videos = [source("a", label=0), source("b", label=1)]
    videos = [dataclasses.replace(v, inputs=v.inputs.astype("uint8")) for v in videos]
    (x, found, _), (before, gaze, _) = (
        joint.windows_of(c, videos, 2).batch(0, 0) for c in (config, plain)
    )
    np.testing.assert_array_equal(found["action"], gaze["action"])
    assert not np.array_equal(x, before)
    assert not np.array_equal(found["mixture"], gaze["mixture"], equal_nan=True)


def test_a_video_with_neither_is_an_error(data):
    with pytest.raises(ValueError, match=r"gaze or a label.* 'a' with neither"):
        source("a", watched=False)
    records = moving_targets.load(data)
    bare = [dataclasses.replace(records[0], gaze=None, label=None)]
    with pytest.raises(ValueError, match="1 of 1 with neither: video_000000"):
        joint_sources(bare, "unused", (32, 32), num_classes=7)


def test_gaze_of_another_length_is_an_error(data, tmp_path, monkeypatch):
    from zoo.training import joint_windows

    records = moving_targets.load(data)[:1]
    real = joint_windows.read_fixations
    monkeypatch.setattr(
        joint_windows, "read_fixations", lambda record: real(record).in_frames(0, 15)
    )
    with pytest.raises(ValueError, match=r"same number of frames\. Received: 20 and 15"):
        joint_sources(records, tmp_path, (32, 32), num_classes=7)


def test_different_classes_do_not_mix(data, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(f"video,label\n{moving_targets.load(data)[0].video},swimming\n")
    config = joint.Config(data_dir=data, more=(f"csv={table}",))
    with pytest.raises(ValueError, match=r"same classes in the same order.*7 and csv with 1"):
        joint_records(config, "train")
    with pytest.raises(ValueError, match='must hold "name=FOLDER"'):
        joint_records(joint.Config(data_dir=data, more=("csv",)), "train")
    with pytest.raises(ValueError, match="must be a module"):
        joint_records(joint.Config(dataset="no_such"), "train")


def test_mixed_data_sets_with_the_same_classes(data, tmp_path):
    other = tmp_path / "more"
    moving_targets.make(other, num_videos=3, frames=18, size=(48, 48), viewers=2, seed=5)
    config = joint.Config(data_dir=data, more=(f"moving_targets={other}",))
    records, classes = joint_records(config, "train")
    assert len(records) == 5 + 2
    assert classes == moving_targets.CLASSES


class Stub:
    """Says class 1 in the first half of a video and class 0 after it."""

    def predict_on_batch(self, inputs):
        late = inputs[:, 0, 0, 0, 0] > 5
        action = np.where(late[:, None], [[0.9, 0.1, 0.0]], [[0.0, 0.8, 0.2]])
        return {"mixture": np.zeros((*inputs.shape[:2], 2, 6), "float32"), "action": action}


def test_actions_are_the_mean_over_a_videos_windows():
    frames = np.arange(20, dtype="float32")[:, None, None, None] * np.ones((1, 8, 8, 3), "float32")
    sources = [
        dataclasses.replace(source(n, label=k), inputs=frames) for n, k in (("a", 0), ("b", 1))
    ]
    windows = JointWindows(sources, num_classes=3, length=10, batch_size=3)
    predictions, actions = predict_joint(Stub(), windows)
    assert predictions.mixtures.shape == (40, 2, 6)
    np.testing.assert_allclose(actions, [[0.45, 0.45, 0.1]] * 2)
    actions[1] = (0.1, 0.9, 0.0)
    assert action_scores(actions, windows) == {"accuracy": 1.0}
    np.testing.assert_array_equal(confusion(actions, windows), [[1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_picture_of_the_confusion():
    picture = confusion_picture(np.array([[9, 1], [0, 4]]), ("run", "walk"))
    margin = picture.shape[1] - 2 * 36
    assert picture[2, margin + 2, 0] < picture[2, margin + 38, 0] < 255
    with pytest.raises(ValueError, match="must be square with one row a class"):
        confusion_picture(np.zeros((2, 2)), ("a", "b", "c"))


@pytest.mark.slow
def test_end_to_end_in_stages_with_feedback(data, tmp_path):
    config = joint.Config(
        data_dir=data,
        output=str(tmp_path),
        trainable_backbone=True,
        dense=True,
        normalization=True,
        feedback=True,
        teacher=0.8,
        saliency_epochs=1,
        pooling="attention",
        uncertainty=True,
        **TINY,
    )
    results = joint.main(config)
    for part in ("validation", "test"):
        assert {"accuracy", "nss", "information_gain"} <= set(results[part])
        assert all(np.isfinite(v) for v in results[part].values())
    model = zoo.load(tmp_path / "model.keras")
    assert [tensor.name for tensor in model.inputs] == ["rgb"]
    best = zoo.load(tmp_path / "best.keras")
    for one, two in zip(model.get_weights(), best.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    for stage in ("saliency", "both"):
        assert list((tmp_path / "logs" / stage / "validation").glob("events*"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "logs/both/validation"))
    events.Reload()
    assert "confusion" in events.Tags()["images"] and len(events.Tags()["images"]) > 1
    assert {"accuracy", "nss", "action_loss"} <= set(events.Tags()["scalars"])
    assert joint.main(config)["validation"] == results["validation"]  # nothing left to do


def test_frozen_saliency_of_another_model_and_videos_without_gaze(data, tmp_path):
    options = {k: TINY[k] for k in ("image_size", "width", "units", "num_components")}
    keras.utils.set_random_seed(3)
    saliency = zoo.rmdn(**options)
    saliency.save(tmp_path / "rmdn.keras")
    records = [f"{r.video},{moving_targets.CLASSES[r.label]}" for r in moving_targets.load(data)]
    table = tmp_path / "labels.csv"
    table.write_text("video,label\n" + "\n".join(records) + "\n")
    config = joint.Config(
        **{**TINY, "dataset": "csv", "epochs": 1},
        data_dir=str(table),
        output=str(tmp_path / "run"),
        saliency_from=str(tmp_path / "rmdn.keras"),
        freeze_saliency=True,
        tensorboard=False,
        evaluate=False,
    )
    results = joint.main(config)
    assert "accuracy" in results["validation"] and "nss" not in results["validation"]
    model = zoo.load(tmp_path / "run/model.keras")
    for name in ("backbone", "recurrent_0", "mixture"):
        for one, two in zip(
            model.get_layer(name).get_weights(), saliency.get_layer(name).get_weights()
        ):
            np.testing.assert_array_equal(one, two)
    assert json.loads((tmp_path / "run/results.json").read_text())["classes"]


def test_videos_without_gaze_learn_from_pseudo_gaze(data, tmp_path):
    rows = ["video,label,gaze"]
    for number, record in enumerate(moving_targets.load(data)):
        gaze = record.gaze.paths[0] if number % 2 else ""
        rows.append(f"{record.video},{moving_targets.CLASSES[record.label]},{gaze}")
    table = tmp_path / "half.csv"
    table.write_text("\n".join(rows) + "\n")
    options = {**TINY, "dataset": "csv", "trainable_backbone": True, "dense": True, "flips": True}
    options |= {"pseudo_gaze": 0.5, "tensorboard": False, "evaluate": False}
    results = joint.main(joint.Config(**options, data_dir=str(table), output=str(tmp_path / "run")))
    assert np.isfinite(results["validation"]["loss"])
    with np.load(tmp_path / "run" / DRAWN) as drawn:
        numbers = sorted(set(drawn.files) - {"epoch"})
        assert int(drawn["epoch"]) == 1 and 0 < len(numbers) < 6
        assert all(np.isfinite(drawn[number]).any() for number in numbers)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"flips": True}, "`flips`, `vertical_flips`, `zoom` and `jitter` need"),
        ({"attend": "clip"}, "needs `trainable_backbone`"),
        ({"teacher": 0.5}, "`teacher` needs `feedback`"),
        ({"teacher": 1.5, "feedback": True}, "`teacher` must be from 0 to 1"),
        ({"window": 15}, "`window` must be above 15"),
        ({"pseudo_gaze": 1.5}, "`pseudo_gaze` must be from 0 to 1"),
        ({"pseudo_gaze": 0.5, "freeze_saliency": True}, "`freeze_saliency` keeps it as it is"),
        ({"local": True, "feedback": True}, "give one of them"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        joint.main(joint.Config(**options))


def test_every_option_of_the_rmdn_recipe_is_there():
    own = {field.name for field in dataclasses.fields(joint.Config)}
    assert {field.name for field in dataclasses.fields(rmdn.Config)} <= own
