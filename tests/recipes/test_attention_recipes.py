import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

import zoo
from tests.recipes.resume import compare
from zoo.datasets import moving_targets
from zoo.recipes import small_video, soft_attention, spatiotemporal_attention

SMALL = {
    "backbone": "small",
    "image_size": (32, 32),
    "num_frames": 6,
    "batch_size": 4,
    "epochs": 2,
    "deterministic": False,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("moving_targets") / "data"
    moving_targets.make(root, num_videos=12, frames=16, size=(48, 48), viewers=1)
    return str(root)


@pytest.mark.slow
def test_soft_attention_trains_from_frames(data, tmp_path):
    config = soft_attention.Config(
        data_dir=data,
        output=str(tmp_path / "run"),
        units=5,
        num_layers=1,
        trainable_backbone=True,
        flips=True,
        test_stride=5,
        **SMALL,
    )
    results = soft_attention.main(config)
    assert 0 <= results["test"]["accuracy"] <= 1
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    accuracies = [epoch["val_accuracy"] for epoch in history]
    assert results["best_epoch"] == 1 + accuracies.index(max(accuracies))
    assert results["validation"]["accuracy"] == pytest.approx(max(accuracies))
    assert zoo.load(tmp_path / "run" / "model.keras").output["action"].shape[-1] == 7
    assert list((tmp_path / "run" / "logs" / "validation").glob("events*"))
    with pytest.raises(ValueError, match="`flips` needs"):
        soft_attention.main(dataclasses.replace(config, trainable_backbone=False))


@pytest.mark.slow
def test_soft_attention_resumes_after_an_interruption(data, tmp_path):
    options = {**SMALL, "deterministic": True, "epochs": 3, "trainable_backbone": True}
    config = soft_attention.Config(
        data_dir=data,
        units=5,
        num_layers=1,
        flips=True,
        test_stride=5,
        tensorboard=False,
        **options,
    )
    compare(soft_attention.main, config, tmp_path, steps=(1, 2))


TWO_DEVICES = """
import sys
import tensorflow as tf
from tests.recipes.test_attention_recipes import SMALL
from zoo.recipes import soft_attention

parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
options = {**SMALL, "units": 5, "num_layers": 1, "trainable_backbone": True, "devices": 2}
options |= {"tensorboard": False, "evaluate": False}
soft_attention.main(soft_attention.Config(data_dir=sys.argv[1], output=sys.argv[2], **options))
"""


@pytest.mark.slow
def test_a_trained_backbone_on_two_devices(data, tmp_path):
    command = [sys.executable, "-c", TWO_DEVICES, data, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "run" / "model.keras").exists()


@pytest.mark.slow
def test_spatiotemporal_attention_trains_from_cached_features(data, tmp_path):
    options = {**SMALL, "deterministic": True, "batch_size": 3, "epochs": 3}
    config = spatiotemporal_attention.Config(
        data_dir=data, filters=4, mask_filters=(4,), score_units=4, tensorboard=False, **options
    )
    results = compare(spatiotemporal_attention.main, config, tmp_path, steps=(1, 2))
    assert results["test"]["log_concavity"] >= 0
    assert results["test"]["weight_in_segments"] > 0
    assert 0 <= results["test"]["temporal_map"] <= 1
    assert 0 <= results["test"]["spatial_map"] <= 1
    model = zoo.load(tmp_path / "whole" / "model.keras")
    assert model.input_shape == (None, 6, 32, 32, 3)
    # The model trained on features gives the same output from frames.
    kept = zoo.load(tmp_path / "whole" / "best.keras")
    for layer in (layer for layer in kept.layers if layer.weights):
        for one, other in zip(layer.get_weights(), model.get_layer(layer.name).get_weights()):
            np.testing.assert_array_equal(one, other)
    history = json.loads((tmp_path / "whole/history.json").read_text())
    values = [row["val_accuracy"] for row in history]
    assert values.index(max(values)) == results["best_epoch"] - 1


@pytest.mark.slow
def test_small_video_gives_fewer_maps_than_frames(data, tmp_path):
    options = {**SMALL, "backbone": "small_video", "tensorboard": True, "epochs": 1}
    config = spatiotemporal_attention.Config(
        data_dir=data,
        output=str(tmp_path / "run"),
        filters=4,
        mask_filters=(4,),
        score_units=4,
        steps=2,
        **options,
    )
    assert 0 <= spatiotemporal_attention.main(config)["test"]["accuracy"] <= 1


def test_too_few_frames_are_named(data, tmp_path):
    options = {**SMALL, "num_frames": 40}
    config = soft_attention.Config(data_dir=data, output=str(tmp_path / "run"), **options)
    with pytest.raises(ValueError, match="at least the 40 frames"):
        soft_attention.main(config)
    assert not (tmp_path / "run").exists()


def test_fewer_videos_than_a_batch_are_an_error(data, tmp_path):
    options = {**SMALL, "batch_size": 40, "output": str(tmp_path / "run"), "data_dir": data}
    for recipe in (soft_attention, spatiotemporal_attention, small_video):
        known = {field.name for field in dataclasses.fields(recipe.Config)}
        given = {name: value for name, value in options.items() if name in known}
        with pytest.raises(ValueError, match=r"lower `batch_size`\. Received: \d samples"):
            recipe.main(recipe.Config(**given))
        assert not (tmp_path / "run").exists()
