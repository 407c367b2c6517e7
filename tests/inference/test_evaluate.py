"""Evaluation of models and baselines, also when it is resumed."""

import csv
import dataclasses
import json
import os

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import zoo
from zoo.datasets import moving_targets
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.gaze.tables import CsvFormat
from zoo.datasets.record import GazeSource
from zoo.datasets.video.reading import open_video
from zoo.inference import evaluate as module
from zoo.inference.evaluate import evaluate
from zoo.inference.evaluating.scoring import Scorer
from zoo.inference.writing.output import OutputError


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    return moving_targets.make(root / "set", num_videos=4, frames=24, size=(48, 64), viewers=6)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return zoo.rmdn(image_size=32, width=0.05, units=6, num_components=3)


def test_the_whole_table(model, records, tmp_path):
    got = evaluate(
        model, records[:2], train_records=records[2:], output=tmp_path / "out", progress=False
    )
    table = got.table
    assert list(table) == [
        "rmdn",
        "uniform",
        "central_bias",
        "trained_central_bias",
        "motion",
        "viewers",
        "true_density",
    ]
    assert table["uniform"]["nss"] == 0
    assert table["uniform"]["log_likelihood"] == pytest.approx(0, abs=1e-6)
    assert table["trained_central_bias"]["information_gain"] == pytest.approx(0, abs=1e-6)
    # Nothing beats the density that the gaze was drawn from.
    for name in ("uniform", "central_bias", "trained_central_bias", "motion", "rmdn"):
        assert table["true_density"]["log_likelihood"] > table[name]["log_likelihood"]
        assert table["true_density"]["nss"] > table[name]["nss"]
    low, high = (table[n]["log_likelihood"] for n in ("trained_central_bias", "true_density"))
    expected = (table["rmdn"]["log_likelihood"] - low) / (high - low)
    assert got.explained_information == {"rmdn": pytest.approx(expected)}
    held = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert held["video_mean"]["rmdn"]["nss"] == pytest.approx(table["rmdn"]["nss"])
    assert held["frames_evaluated"] == 2 * 9  # the first 15 of 24 have no prediction
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("data:image/") == 4
    assert "src='http" not in page
    rows = list(csv.DictReader((tmp_path / "out" / "videos" / "video_000000.csv").open()))
    assert len(rows) == 24
    assert rows[3]["rmdn/nss"] == ""
    values = [float(row["rmdn/nss"]) for row in rows[15:]]
    assert np.mean(values) == pytest.approx(got.videos[0]["metrics"]["rmdn"]["nss"]["mean"], 1e-4)


def test_values_are_those_of_predict_and_the_metrics(model, records):
    from zoo.inference.predict import predict
    from zoo.metrics import nss

    got = evaluate(model, records[:1], baselines=("motion",), progress=False)
    prediction = predict(model, records[0].video, progress=False)
    counts = read_fixations(records[0]).counts(48, 64)[15:]
    maps = np.stack([prediction.map(frame, 48, 64) for frame in range(15, 24)])
    expected = keras.ops.convert_to_numpy(nss(maps, counts)).mean()
    assert got.table["rmdn"]["nss"] == pytest.approx(float(expected), abs=1e-4)
    assert got.settings["information_gain_over"] == "central_bias"
    assert (
        "auc_shuffled" not in got.table["rmdn"]
    )  # a single video: no fixations of others for the shuffled AUC
    assert any("no shuffled AUC" in note for note in got.notes)


def test_metric_maps_are_blurred_like_the_truth(model, records):
    options = {"train_records": records[2:], "progress": False}
    plain = evaluate(model, records[:2], **options)
    got = evaluate(model, records[:2], metric_maps=True, **options)
    # CC of the true density, with SciPy's Gaussian and NumPy's correlation.
    record, sigma = records[0], 0.028 * 64
    counts = read_fixations(record).counts(48, 64)[15:].astype(float)
    density = moving_targets.true_density(record, 48, 64)[15:]
    blur = {"sigma": (0, sigma, sigma), "mode": "constant", "truncate": 4.3}  # 8 pixels, as ours
    pairs = zip(gaussian_filter(density, **blur), gaussian_filter(counts, **blur))
    expected = np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs])
    measured = got.videos[0]["metrics"]["true_density"]["cc"]["mean"]
    assert measured == pytest.approx(expected, abs=1e-4)
    for name in plain.table:
        same = set(plain.table[name]) - {"cc", "similarity", "kl_divergence"}
        assert all(got.table[name][m] == plain.table[name][m] for m in same)
    assert got.table["viewers"] == plain.table["viewers"]
    # The density that the gaze was drawn from is now as close to the truth map as possible.
    truth, before = got.table["true_density"], plain.table["true_density"]
    assert truth["cc"] > before["cc"]
    assert truth["kl_divergence"] < before["kl_divergence"]
    assert any("blurred like the truth" in note for note in got.notes)


def test_training_videos_with_the_names_of_evaluated_ones(records):
    """They come from another data set, and count; the evaluated video itself does not."""
    same = dataclasses.replace(records[0], name="other")
    others = [dataclasses.replace(record, name=records[0].name) for record in records[1:3]]
    baselines = ("trained_central_bias",)
    how = {"baselines": baselines, "progress": False}
    got = evaluate(None, records[:1], train_records=[same, *others], **how)
    assert got.settings["train_videos"] == 2
    assert any(note.startswith("1 training videos are among") for note in got.notes)
    assert "auc_shuffled" in got.table["trained_central_bias"]


def test_any_model_name(model, records, tmp_path):
    name = 'dense, 3/4 wide "b"'
    got = evaluate(
        {name: model}, records[:1], baselines=("uniform",), output=tmp_path, progress=False
    )
    assert list(got.table) == [name, "uniform"]
    rows = list(csv.DictReader((tmp_path / "videos" / "video_000000.csv").open(newline="")))
    values = [float(row[f"{name}/nss"]) for row in rows[15:]]
    assert np.mean(values) == pytest.approx(got.table[name]["nss"], 1e-4)
    assert "data:image/" in (tmp_path / "index.html").read_text()


def test_resumes_and_refuses_other_settings(records, tmp_path, monkeypatch):
    arguments = {"baselines": ("uniform", "motion"), "progress": False, "pictures": 1}
    whole = evaluate(None, records, output=tmp_path / "whole", **arguments).to_json()

    scored = []
    original = Scorer.score

    def counted(self, record, *rest, **more):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(record.name)
        return original(self, record, *rest, **more)

    monkeypatch.setattr(Scorer, "score", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(None, records, output=tmp_path / "cut", **arguments)
    monkeypatch.setattr(Scorer, "score", original)
    calls = []
    monkeypatch.setattr(
        Scorer,
        "score",
        lambda self, record, *rest, **more: (
            calls.append(record.name) or original(self, record, *rest, **more)
        ),
    )
    resumed = evaluate(None, records, output=tmp_path / "cut", **arguments).to_json()
    assert calls == [record.name for record in records[2:]]
    for held, expected in zip(resumed["videos"], whole["videos"]):
        assert held == expected
    with pytest.raises(OutputError, match="differs in sigma"):
        evaluate(None, records, output=tmp_path / "cut", sigma=0.05, **arguments)
    calls.clear()
    evaluate(None, records, output=tmp_path / "cut", sigma=0.05, overwrite=True, **arguments)
    assert len(calls) == 4
    evaluate(None, records, output=tmp_path / "cut", sigma=0.05, overwrite=True, **arguments)
    assert len(calls) == 8
    os.utime(records[1].video, (1, 1))  # another version of the file
    evaluate(None, records, output=tmp_path / "cut", sigma=0.05, **arguments)
    assert calls[8:] == [records[1].name]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="new or empty"):
        evaluate(None, records, output=tmp_path / "mine", **arguments)


def test_other_weights_are_another_evaluation(records, tmp_path):
    def small(seed):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((None, 8, 8, 3), name="rgb")
        x = keras.layers.Reshape((-1, 192))(inputs)
        x = zoo.layers.MixtureDensity(2)(x)
        return keras.Model(inputs, {"mixture": x}, name="small")

    first = small(0)
    arguments = {"baselines": (), "progress": False, "pictures": 0, "output": tmp_path}
    got = evaluate({"a": first, "b": small(1)}, records[:1], **arguments)
    assert list(got.table) == ["a", "b"]
    assert got.videos[0]["first_frame"] == 0
    evaluate({"a": first, "b": first}, records[:1], **{**arguments, "overwrite": True})
    with pytest.raises(OutputError, match="weights of a model"):
        evaluate({"a": first, "b": small(2)}, records[:1], **arguments)


def test_frames_without_fixations_are_counted_and_named(records, tmp_path):
    record = records[0]
    gaze = tmp_path / "gaze.csv"
    with open(record.gaze.paths[0]) as file:
        rows = [row for row in csv.DictReader(file) if row["frame"] not in ("3", "20")]
    with gaze.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    holes = dataclasses.replace(record, gaze=GazeSource((str(gaze),), csv=CsvFormat()))
    got = evaluate(None, [holes], baselines=("motion",), progress=False)
    assert got.frames_without_fixations == {record.name: [3, 20]}
    assert got.videos[0]["frames_evaluated"] == 22
    assert got.videos[0]["metrics"]["motion"]["nss"]["count"] == 22
    assert any("2 frames of 1 videos have no fixation" in note for note in got.notes)


def test_bad_arguments(records):
    blind = dataclasses.replace(records[0], gaze=None)
    for given, arguments, match in (
        ([], {}, "at least one video"),
        ([blind], {}, "must have gaze"),
        ([records[0], records[0]], {}, "must have a unique name"),
        (records, {"baselines": ("luck",)}, "`baselines` must be among"),
        (records, {"sigma": 0}, "`sigma` positive"),
        (records, {"initial": "x"}, "`initial` must be one of"),
    ):
        with pytest.raises(ValueError, match=match):
            evaluate(None, given, progress=False, **arguments)


def test_what_is_no_list_of_records(records):
    for wrong, told in (
        ("videos.csv", "str"),
        (zoo, "module"),
        ([records[0], "a.mp4"], "str among"),
    ):
        with pytest.raises(TypeError, match=rf"`records` must be a list .* Received: {told}"):
            evaluate(None, wrong, progress=False)


def test_every_frame_of_the_video_counts(records):
    assert open_video(records[0].video).num_frames == 24
    got = evaluate(None, records[:2], baselines=("true_density",), progress=False)
    assert [v["frames_evaluated"] for v in got.videos] == [24, 24]
    first, second = (v["metrics"]["true_density"]["nss"] for v in got.videos)
    assert got.table["true_density"]["nss"] == pytest.approx((first["mean"] + second["mean"]) / 2)
    assert got.frame_means["true_density"]["nss"] == pytest.approx(
        (first["sum"] + second["sum"]) / (first["count"] + second["count"])
    )
    assert module.METRICS["kl_divergence"][1] is False
