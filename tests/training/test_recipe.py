"""Steps that recipes share: passing on options, each machine's share of a batch, resuming."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.datasets.conftest import numbered_video
from zoo.datasets import Action, Frames, Samples, Windows, stream
from zoo.datasets.record import Record
from zoo.recipes.rmdn import Config
from zoo.training import Progress, recipe
from zoo.training.schedules import WarmCosine


@pytest.fixture
def samples(tmp_path):
    video = str(numbered_video(tmp_path / "video.mp4", 40))
    record = Record("video", video, label=0)
    return Samples(
        [record], Windows(1), inputs=[Frames((8, 8))], targets=[Action(1)], per_video=20, seed=3
    )


@pytest.fixture
def passed_on(monkeypatch):
    """The arguments that `recipe.train` gives to `zoo.training.fit`."""
    found = {}

    def fit(model, data, **given):
        found.update(given, model=model, data=data)
        return "progress"

    monkeypatch.setattr(recipe, "fit", fit)
    return found


def test_the_options_reach_the_optimizer():
    config = Config(
        optimizer="adam", schedule="cosine", rate=2e-3, clip=3.0, weight_decay=0.01, accumulate=4
    )
    found = recipe.optimizer_of(dataclasses.replace(config, epochs=5), steps=10)
    assert type(found).__name__.startswith("Adam")
    assert (found.global_clipnorm, found.weight_decay) == (3.0, 0.01)
    assert found.gradient_accumulation_steps == 4
    plan = found._learning_rate
    assert isinstance(plan, WarmCosine) and (plan.rate, plan.total) == (2e-3, 50)
    # A stage may have its own number of epochs.
    assert recipe.optimizer_of(config, steps=10, epochs=7)._learning_rate.total == 70
    bare = recipe.optimizer_of(dataclasses.replace(config, accumulate=None, clip=None), steps=10)
    assert bare.gradient_accumulation_steps is None and bare.global_clipnorm is None


def test_results_count_epochs_from_one(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "best.keras")
    model, facts = recipe.best_of(Progress(epoch=5, seconds=12.34, best_epoch=2), tmp_path)
    assert facts == {"best_epoch": 3, "seconds": 12.3}
    assert model.count_params() == 3


def test_an_epoch_has_every_sample():
    for count, size, together, steps in ((9, 3, 1, 3), (10, 3, 1, 4), (10, 3, 3, 6), (2, 8, 1, 1)):
        config = Config(batch_size=size, steps_per_execution=together)
        assert recipe.steps_of(range(count), config) == steps


def test_features_are_cached_only_if_the_backbone_is_frozen():
    assert recipe.features_cached(Config())
    assert recipe.features_cached(Config(cache="folder"))
    assert not recipe.features_cached(Config(cache="none"))
    assert not recipe.features_cached(Config(trainable_backbone=True))


@pytest.mark.parametrize("host", [0, 1])
def test_each_machine_reads_its_share_from_the_step_where_the_run_stopped(
    samples, passed_on, monkeypatch, tmp_path, host
):
    monkeypatch.setattr(recipe, "shard", lambda: (host, 2))
    recipe.train(Config(batch_size=4), None, samples, tmp_path)
    (found,) = passed_on["data"](7).take(1).as_numpy_iterator()
    (whole,) = stream(samples, 4).skip(7).take(1).as_numpy_iterator()
    half = tf.nest.map_structure(lambda part: part[2 * host : 2 * host + 2], whole)
    tf.nest.map_structure(np.testing.assert_array_equal, found, half)
    assert not np.array_equal(whole[0][:2], whole[0][2:])


def test_the_options_reach_the_engine(samples, passed_on, tmp_path):
    config = Config(batch_size=8, epochs=9, patience=4, min_delta=0.5, save_seconds=7.0)
    chosen = {"monitor": "val_accuracy", "larger_is_better": True}

    def validate(model, epoch):
        return {"val_accuracy": 1.0}

    assert recipe.train(config, "model", samples, tmp_path, validate=validate, **chosen)
    assert {name: passed_on[name] for name in chosen} == chosen
    assert passed_on["validate"] is validate and passed_on["model"] == "model"
    wanted = {"epochs": 9, "steps": 3, "patience": 4, "min_delta": 0.5, "save_seconds": 7.0}
    assert {name: passed_on[name] for name in wanted} == wanted
    recipe.train(config, "model", samples, tmp_path, epochs=2)
    assert passed_on["epochs"] == 2
    assert passed_on["patience"] is None  # without validation there is no best epoch


def test_only_the_first_machine_writes_the_model(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(recipe, "save", lambda model, path, **given: saved.append((path, given)))
    (tmp_path / "config.json").write_text(json.dumps({"data_dir": "data/DHF1K"}))
    results = {"test": {"nss": 2.0}, "best_epoch": 3}
    monkeypatch.setattr(recipe, "machine", lambda: 1)
    recipe.save_model(Config(), "model", tmp_path, results)
    assert not saved and not (tmp_path / "results.json").exists()
    monkeypatch.setattr(recipe, "machine", lambda: 0)
    recipe.save_model(Config(), "model", tmp_path, results, classes=("a",))
    ((path, given),) = saved
    assert path == tmp_path / "model.keras" and given["classes"] == ("a",)
    assert given["results"] == {"test": {"nss": 2.0}} and given["dataset"].endswith("DHF1K")
    assert json.loads((tmp_path / "results.json").read_text()) == results


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"steps_per_execution": 0},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"min_delta": -1.0},
        {"save_seconds": -1.0},
        {"validation_share": 1.0},
        {"accumulate": 0},
    ],
)
def test_options_out_of_range(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"`{name}` must be .*Received: {name}={value}"):
        Config(**wrong)
