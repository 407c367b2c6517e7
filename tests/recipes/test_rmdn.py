from __future__ import annotations

import dataclasses
import json
import tempfile
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from tests.recipes.resume import compare
from zoo.datasets import moving_targets
from zoo.datasets.video.reading import open_video
from zoo.recipes import demo, rmdn
from zoo.training.layer_weights import backbone_of

TINY = {
    "dataset": "moving_targets",
    "image_size": (32, 32),
    "width": 0.03,
    "units": 8,
    "num_components": 3,
    "window": 18,
    "batch_size": 2,
    "epochs": 2,
    "score_every": 9,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "moving_targets"
    moving_targets.make(root, num_videos=6, frames=20, size=(48, 64), viewers=3)
    return str(root)


def end_to_end(data, output, **changes):
    options = {**TINY, "trainable_backbone": True, "dense": True, "normalization": True, **changes}
    return rmdn.Config(data_dir=data, output=str(output), **options)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:C3D is frozen with random weights")
@pytest.mark.parametrize("dense", [False, True])
def test_cached_features(data, tmp_path, dense):
    config = rmdn.Config(
        data_dir=data,
        output=str(tmp_path),
        dense=dense,
        retrain_on_all=True,
        evaluate=not dense,
        **TINY,
    )
    results = rmdn.main(config)
    assert len(list((tmp_path / "cache").glob("*/*.tfrecord"))) == 5
    model = zoo.load(tmp_path / "model.keras")
    assert model.input_shape == (None, None, 32, 32, 3)
    trained = zoo.load(tmp_path / "all/best.keras")
    head = trained.get_layer("mixture").get_weights()
    for one, other in zip(model.get_layer("mixture").get_weights(), head, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("nss", "cc", "similarity", "auc_judd", "information_gain", "log_likelihood"):
        assert np.isfinite(results["validation"][name])
    assert results["truth_map"]["sigma"] in (1.5, 3.0)
    assert len(results["truth_maps_tried"]) == 4
    assert (tmp_path / "results.json").exists()
    if not dense:
        assert {"rmdn", "trained_central_bias", "uniform"} <= set(results["test"])
    # The model trained on features predicts the same from frames.
    video = open_video(moving_targets.load(data)[0].video)
    frames = video.read(np.arange(18), (32, 32))
    features = backbone_of(model)
    lag = 0 if dense else 15
    clips = frames[None] if dense else np.stack([frames[s : s + 16] for s in range(3)])
    found = trained.predict_on_batch(
        features.predict_on_batch(clips)[0 if dense else slice(None)][None]
    )["mixture"]
    whole = model.predict_on_batch(np.asarray(frames)[None])["mixture"]
    assert whole.shape[1] == 18 - lag
    np.testing.assert_allclose(whole, found, atol=1e-4)


def test_end_to_end(data, tmp_path):
    config = end_to_end(
        data,
        tmp_path,
        flips=True,
        optimizer="adam",
        schedule="cosine",
        weight_decay=1e-4,
        precision="mixed_bfloat16",
    )
    try:
        results = rmdn.main(config)
    finally:
        keras.config.set_dtype_policy("float32")
    assert results["best_epoch"] in (1, 2)
    assert set(results["test"]["rmdn"]) >= {"nss", "cc", "log_likelihood"}
    history = json.loads((tmp_path / "history.json").read_text())
    assert len(history) == 2
    assert {"loss", "learning_rate", "val_loss", "val_nss", "val_auc_judd"} <= set(history[0])
    assert list((tmp_path / "logs/validation").iterdir())


@pytest.mark.parametrize("cached", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_run_resumes_at_any_step(data, cached):
    """With dropout: within an epoch, between epochs, and twice in one epoch."""
    changes = {"evaluate": False, "tensorboard": False, "epochs": 3, "data_dir": data}
    if cached:
        config = rmdn.Config(**{**TINY, **changes}, retrain_on_all=True)
    else:
        config = end_to_end(data, "unused", flips=True, zoom=0.8, jitter=0.1)
        config = dataclasses.replace(config, **changes)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        compare(rmdn.main, config, Path(folder), steps=(1, 1, 2))


@pytest.mark.slow
def test_more_epochs_continue_a_run_and_a_mistyped_path_leaves_no_folder(data, tmp_path):
    config = end_to_end(data, tmp_path / "run", evaluate=False, tensorboard=False, epochs=1)
    rmdn.main(config)
    rmdn.main(dataclasses.replace(config, epochs=2))
    assert len(json.loads((tmp_path / "run/history.json").read_text())) == 2
    with pytest.raises(ValueError, match=r"units=9 \(was 8\)"):
        rmdn.main(dataclasses.replace(config, epochs=2, units=9))
    missing = dataclasses.replace(config, data_dir="no", output=str(tmp_path / "other"))
    with pytest.raises(FileNotFoundError):
        rmdn.main(missing)
    assert not (tmp_path / "other").exists()


def test_the_hold_out_chooses_the_epoch_with_the_lowest_loss(data, tmp_path):
    config = end_to_end(data, tmp_path, evaluate=False, tensorboard=False, epochs=4, rate=0.05)
    results = rmdn.main(dataclasses.replace(config, schedule="constant"))
    losses = [row["val_loss"] for row in json.loads((tmp_path / "history.json").read_text())]
    assert losses.index(min(losses)) == results["best_epoch"] - 1


def test_invalid_options(data, tmp_path):
    with pytest.raises(
        ValueError, match=r"flips=True, vertical_flips=False, zoom=1\.0, jitter=0\.0, trainable"
    ):
        rmdn.main(rmdn.Config(flips=True, data_dir=data, output=str(tmp_path)))
    with pytest.raises(ValueError, match="window=15"):
        rmdn.main(rmdn.Config(window=15, data_dir=data, output=str(tmp_path)))
    with pytest.raises(FileNotFoundError):
        rmdn.main(rmdn.Config(data_dir=str(tmp_path / "no"), output=str(tmp_path / "o")))


def test_too_large_a_batch_leaves_no_folder(data, tmp_path):
    with pytest.raises(ValueError, match=r"at least one batch.*batch_size=64"):
        rmdn.main(end_to_end(data, tmp_path / "out", batch_size=64))
    with pytest.raises(ValueError, match="`sigmas` and `uniforms` must not be empty"):
        rmdn.main(end_to_end(data, tmp_path / "out", sigmas=()))
    assert not (tmp_path / "out").exists()


def test_the_defaults_are_the_paper_s():
    config = rmdn.Config()
    assert (config.window - config.lag, config.units, config.num_components) == (50, 256, 20)
    assert (config.optimizer, config.rate, config.clip, config.epochs) == ("rmsprop", 3e-4, 20, 40)
    assert (config.schedule, config.dropout, config.trainable_backbone) == ("decay", 0.5, False)


@pytest.mark.slow
def test_the_demo(tmp_path):
    config = demo.Config(output=str(tmp_path), num_videos=10, frames=20, epochs=1)
    results = demo.main(config)
    page = (tmp_path / "index.html").read_text()
    assert f"{results['explained']:.1%}" in page
    assert list((tmp_path / "prediction").glob("*.mp4"))
    scene = tmp_path / demo.SCENE  # the general model's film, which needs no training
    assert (scene / "film.mp4").exists() and (scene / "index.html").exists()
    assert f'src="{demo.SCENE}/film.mp4"' in page and "CC BY" in page
    assert (
        results["test"]["true_density"]["log_likelihood"]
        > results["test"]["rmdn"]["log_likelihood"]
    )


def test_better_knows_which_metrics_are_losses():
    table = {
        "rmdn": {"nss": 2.0, "kl_divergence": 1.0},
        "trained_central_bias": {"nss": 1.0, "kl_divergence": 0.5},
    }
    assert demo.better(table, "rmdn") == {"nss": True, "kl_divergence": False}
