import dataclasses
import json

import keras
import numpy as np
import pytest

import zoo
from tests.recipes.resume import compare
from zoo.datasets import Action, moving_targets
from zoo.recipes import joint, rmdn
from zoo.training import joint_scores
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


def test_a_missing_gaze_or_label_has_sample_weight_zero(data):
    records = moving_targets.load(data)[:4]
    records = [
        dataclasses.replace(records[0], gaze=None),
        dataclasses.replace(records[1], label=None),
        *records[2:],
    ]
    config = joint.Config(trainable_backbone=True, dense=True, window=10, batch_size=4)
    samples = joint.samples_of(config, records, None, moving_targets.CLASSES, 5)
    found = [samples.draw(number) for number in range(4)]
    weights = [tuple(float(w) for w in weights.values()) for *_, weights in found]
    scale = pytest.approx(4 / 3)
    assert sorted(weights) == [(0.0, scale), (scale, 0.0), (scale, scale), (scale, scale)]
    # Without any gaze, the saliency target exists but has weight zero.
    blind = joint.samples_of(config, records[:1], None, moving_targets.CLASSES, 5)
    assert {k: float(v) for k, v in blind.draw(0)[2].items()} == {"mixture": 0.0, "action": 1.0}


def test_different_classes_do_not_mix(data, tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(f"video,label\n{moving_targets.load(data)[0].video},swimming\n")
    config = joint.Config(data_dir=data, more=(f"csv={table}",))
    with pytest.raises(ValueError, match=r"same classes in the same order.*7 and csv with 1"):
        joint.records_of(config, "train")
    with pytest.raises(ValueError, match='must hold "name=FOLDER"'):
        joint.records_of(joint.Config(data_dir=data, more=("csv",)), "train")
    with pytest.raises(ValueError, match="`zoo list` names"):
        joint.records_of(joint.Config(dataset="no_such"), "train")


def test_mixed_data_sets_with_the_same_classes(data, tmp_path):
    other = tmp_path / "more"
    moving_targets.make(other, num_videos=3, frames=18, size=(48, 48), viewers=2, seed=5)
    config = joint.Config(data_dir=data, more=(f"moving_targets={other}",))
    records, classes = joint.records_of(config, "train")
    assert len(records) == 5 + 2
    assert classes == moving_targets.CLASSES
    # Both have a video_000001: fixations that are given by name must not be mixed up.
    names = [record.name.split("/") for record in records]
    assert [first for first, _ in names] == ["moving_targets"] * 5 + ["moving_targets_2"] * 2


def test_labels_and_confusion(data):
    records = moving_targets.load(data)[:3]
    records = [dataclasses.replace(r, label=n) for r, n in zip(records, (0, None, 1))]
    samples = joint.samples_of(joint.Config(), records, None, ("a", "b", "c"), 1)
    labels = joint_scores.labels_of(samples, Action(3))
    assert {video: int(label) for video, label in labels.items()} == {0: 0, 2: 1}
    actions = np.array([[0.6, 0.4, 0.0], [0.0, 0.0, 1.0], [0.5, 0.4, 0.1]])
    values = joint_scores.action_scores(actions, labels)
    assert values["accuracy"] == 0.5
    assert values["action_loss"] == pytest.approx(-np.log([0.6, 0.4]).mean(), rel=1e-5)
    found = joint_scores.confusion(actions, labels)
    np.testing.assert_array_equal(found, [[1, 0, 0], [1, 0, 0], [0, 0, 0]])
    hot = {0: np.array([1.0, 0.0, 1.0]), 1: np.array([0.0, 0.0, 1.0])}
    assert joint_scores.confusion(actions, hot).sum() == 3
    several = joint_scores.action_scores(actions, hot, multi_label=True)
    assert set(several) == {"mean_average_precision", "action_loss"}


def test_picture_of_the_confusion():
    picture = confusion_picture(np.array([[9, 1], [0, 4]]), ("run", "walk"))
    margin = picture.shape[1] - 2 * 36
    assert picture[2, margin + 2, 0] < picture[2, margin + 38, 0] < 255
    with pytest.raises(ValueError, match="must be square with one row per class"):
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
    assert joint.main(config)["validation"] == results["validation"]  # already finished


@pytest.mark.slow
def test_the_stages_resume_after_an_interruption(data, tmp_path):
    """In the first stage, and then in the second, started by the same process."""
    stages = {"saliency_epochs": 1, "feedback": True, "teacher": 0.8, "uncertainty": True}
    options = {**TINY, **stages, "trainable_backbone": True, "dense": True}
    config = joint.Config(data_dir=data, tensorboard=False, evaluate=False, **options)
    compare(joint.main, config, tmp_path, steps=(1, 2))
    assert (tmp_path / "broken/saliency/state.npz").exists()


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


@pytest.mark.slow
def test_videos_without_gaze_learn_from_pseudo_gaze(data, tmp_path):
    rows = ["video,label,gaze"]
    for number, record in enumerate(moving_targets.load(data)):
        gaze = record.gaze.paths[0] if number % 2 else ""
        rows.append(f"{record.video},{moving_targets.CLASSES[record.label]},{gaze}")
    table = tmp_path / "half.csv"
    table.write_text("\n".join(rows) + "\n")
    options = {**TINY, "dataset": "csv", "trainable_backbone": True, "dense": True, "flips": True}
    options |= {"pseudo_gaze": 0.5, "tensorboard": False, "evaluate": False}
    config = joint.Config(**{**options, "epochs": 3}, data_dir=str(table))
    results = compare(joint.main, config, tmp_path, steps=(3, 1, 2))
    assert np.isfinite(results["validation"]["loss"])
    with np.load(tmp_path / "whole" / DRAWN) as drawn:
        names = drawn["names"].tolist()
        assert int(drawn["epoch"]) == 2 and 0 < len(names) < 6
        assert all(np.isfinite(drawn[f"points_{n:06d}"]).any() for n in range(len(names)))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"flips": True}, "`flips`, `vertical_flips`, `zoom` and `jitter` need"),
        ({"attend": "clip"}, "needs `trainable_backbone`"),
        ({"teacher": 0.5}, "`teacher` needs `feedback`"),
        ({"teacher": 1.5, "feedback": True}, "`teacher` must be from 0 to 1"),
        ({"window": 15}, "`window` must be above 15"),
        ({"pseudo_gaze": 1.5}, "`pseudo_gaze` must be from 0 to 1"),
        ({"pseudo_gaze": 0.5, "freeze_saliency": True}, "`freeze_saliency` cannot be combined"),
        ({"local": True, "feedback": True}, "`local` cannot be combined"),
        ({"retrain_on_all": True}, "`retrain_on_all` is for the recipe rmdn"),
        ({"mirror": True}, "`mirror` is for the recipe rmdn"),
        ({"sigmas": (1.0, 2.0)}, "`sigmas` must be a single value"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        joint.main(joint.Config(**options))


def test_every_option_of_the_rmdn_recipe_is_there():
    own = {field.name for field in dataclasses.fields(joint.Config)}
    assert {field.name for field in dataclasses.fields(rmdn.Config)} <= own


@pytest.mark.slow
def test_the_central_bias_is_fitted_to_the_training_gaze(data, tmp_path):
    config = joint.Config(
        **{**TINY, "epochs": 1},
        data_dir=data,
        output=str(tmp_path),
        central_bias=2,
        trainable_backbone=True,
        dense=True,
        tensorboard=False,
        evaluate=False,
    )
    joint.main(config)
    model = zoo.load(tmp_path / "model.keras", verbose=False)
    bias = keras.ops.convert_to_numpy(model.get_layer("central_bias").bias)
    assert bias.shape == (2, 6) and np.isfinite(bias).all()
    assert np.abs(bias[0, 1:3] - bias[1, 1:3]).max() > 0.01  # not twice the initial Gaussian
