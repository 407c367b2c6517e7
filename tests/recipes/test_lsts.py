"""The LSTS recipe: clips of frames, cached features, batches, resume, a run on synthetic data."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest

from tests.recipes.resume import compare
from zoo.datasets import Saliency, Samples, Windows, moving_targets
from zoo.datasets.shards.features import FeatureStore
from zoo.datasets.video.flow import store_flow, video_flow
from zoo.datasets.video.reading import open_video
from zoo.models.lsts import STREAMS, lsts_features
from zoo.recipes import lsts
from zoo.training.backbone_features import BackboneFeatures


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    moving_targets.make(root, num_videos=5, frames=16, size=(48, 48), viewers=4)
    return root


SMALL = {
    "num_frames": 8,
    "image_size": (32, 32),
    "flow_size": (32, 32),
    "output_size": (12, 16),
    "width": 1 / 32,
    "head_width": 1 / 64,
    "batch_size": 4,
    "stride": 4,
    "epochs": 1,
    "evaluate_stride": 4,
    "tensorboard": False,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:I3D of the")
def test_a_run_with_both_streams_and_its_model(made, tmp_path):
    config = lsts.Config(
        data_dir=str(made), output=str(tmp_path / "run"), streams="both", initial="pad", **SMALL
    )
    results = lsts.main(config)
    assert {"lsts", "trained_central_bias", "motion"} <= set(results["test"])
    for row in (results["test"]["lsts"], results["test"]["trained_central_bias"]):
        assert np.isfinite([row[m] for m in ("auc_judd", "nss", "cc", "kl_divergence")]).all()
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    flow = model.get_layer("head").get_layer("saliency").flow
    assert (flow["method"], tuple(flow["size"])) == ("dis", (32, 32))
    # Evaluated as any model: the whole videos through the saved model.
    held = json.loads((tmp_path / "run" / "evaluation" / "evaluation.json").read_text())
    assert held["video_mean"]["lsts"]["nss"] == pytest.approx(results["test"]["lsts"]["nss"])
    assert (held["settings"]["initial"], held["settings"]["stride"]) == ("pad", 4)
    assert held["settings"]["sigma"] == pytest.approx(1.5 / 43.2)
    assert (
        held["frames_evaluated"] > 8 * held["num_videos"]
    )  # including those before the first clip
    clip = {"rgb": np.zeros((1, 8, 32, 32, 3)), "flow": np.zeros((1, 8, 32, 32, 2))}
    assert model(clip)["saliency"].shape == (1, 12, 16)
    with pytest.raises(ValueError, match="other options"):
        lsts.main(dataclasses.replace(config, rate=1.0))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:I3D of the")
def test_an_interrupted_run_resumes(made, tmp_path):
    options = {**SMALL, "epochs": 3, "stride": 2, "dropout": 0.3, "halve_every": 2}
    config = lsts.Config(data_dir=str(made), evaluate=False, **options)
    results = compare(lsts.main, config, tmp_path, steps=(1, 3))
    losses = [row["val_loss"] for row in json.loads((tmp_path / "whole/history.json").read_text())]
    assert losses.index(min(losses)) == results["best_epoch"] - 1


def test_short_test_videos_are_named_and_left_out(made):
    records = moving_targets.load(made)
    with pytest.warns(UserWarning, match=r"5 of 5 test videos have fewer than 17 frames.*\(16\)"):
        assert lsts.long_enough(records, 17) == []
    assert lsts.long_enough(records, 16) == records


@pytest.mark.parametrize(
    "options, first, rows",
    [
        ({"streams": "rgb"}, 7, 9),
        # The first flow field is that of frame 1, so a clip of 8 fields is complete at frame 8.
        ({"streams": "flow"}, 8, 8),
        ({"streams": "both", "stride": 4}, 8, 2),
        ({"streams": "rgb", "target": "centre"}, 4, 9),
    ],
)
@pytest.mark.filterwarnings("ignore:I3D of the")
def test_features_are_those_of_the_clip_that_the_map_is_for(made, tmp_path, options, first, rows):
    config = lsts.Config(data_dir=str(made), **{**SMALL, "stride": 1, **options})
    records = moving_targets.load(made)[:2]
    extractors = {s: lsts.extractor_of(config, s, records) for s in STREAMS[config.streams]}
    store = lsts.feature_store(config, extractors, tmp_path)
    for one in store.stores:
        one.compute(records)
    samples = lsts.clips_of(config, records, store)
    assert len(samples) == 2 * rows
    place = samples.places[1]
    frame = first + config.stride
    assert samples.frames(0, place.steps).tolist() == [frame]
    inputs, targets, _ = samples.in_order(1)
    watched = Samples(records, Windows(1), targets=[Saliency((12, 16))])
    wanted = watched.in_order(frame)[1]["saliency"]
    np.testing.assert_array_equal(targets["saliency"][..., 1], wanted[..., 1])
    last = frame if config.target == "last" else frame + 3
    numbers = range(last - 7, last + 1)
    frames = open_video(records[0].video).read(range(16), (32, 32))
    expected = []
    for stream, extractor in extractors.items():
        clip = frames[list(numbers)]
        if stream == "flow":
            fields = np.stack(list(video_flow(frames, size=(32, 32), output_size=(32, 32))))
            clip = fields[[n - 1 for n in numbers]]
        expected.append(np.asarray(extractor(clip[None].astype("float32"))))
    expected = np.concatenate(expected, axis=-1)[0]
    np.testing.assert_allclose(inputs["features"], expected, rtol=4e-3, atol=2e-3)


def test_stored_flow_is_read_and_must_fit_the_video(made, tmp_path):
    records = moving_targets.load(made)[:1]
    frames = open_video(records[0].video).read(range(16), (32, 32))
    extractor = lsts_features(stream="flow", num_frames=8, image_size=32, width=1 / 32)
    options = {"clip_length": 8, "flow": {"size": (16, 16)}}
    given = BackboneFeatures(extractor, flow_dir=tmp_path, **options)
    stores = [
        FeatureStore(tmp_path / "a", BackboneFeatures(extractor, **options)),
        FeatureStore(tmp_path / "a", given),
    ]
    assert stores[0].root != stores[1].root
    store_flow(tmp_path / f"{records[0].name}.npy", frames, num_frames=16, size=(16, 16))
    for store in stores:
        store.compute(records)
    one, other = (np.asarray(store.rows(records[0])[:], np.float32) for store in stores)
    np.testing.assert_allclose(other, one, atol=0.02 * np.abs(one).max() + 1e-3)
    store_flow(tmp_path / f"{records[0].name}.npy", frames[:10], num_frames=10, size=(16, 16))
    with pytest.raises(ValueError, match=r"must have the shape \(16, .*\(10, 16"):
        FeatureStore(tmp_path / "b", given).compute(records)


@pytest.mark.filterwarnings("ignore")
def test_videos_shorter_than_a_clip_are_an_error(made, tmp_path):
    options = {**SMALL, "num_frames": 16, "streams": "flow"}
    with pytest.raises(ValueError, match="17 frames of a window"):
        lsts.main(lsts.Config(data_dir=str(made), output=str(tmp_path), **options))


def test_small_keeps_options_that_were_given(monkeypatch):
    seen = []
    monkeypatch.setattr(lsts, "begin", lambda config: seen.append(config) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        lsts.main(lsts.Config(data_dir="none", small=True, epochs=40, batch_size=8))
    assert (seen[0].epochs, seen[0].batch_size) == (40, 8)
    assert seen[0].image_size == lsts.SMALL["image_size"]


@pytest.mark.parametrize("option", [{"flow": "tvl1"}, {"flow_dir": "f"}, {"scale_vectors": False}])
def test_options_of_flow_need_flow(option):
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` needs `streams` flow or both"):
        lsts.main(lsts.Config(streams="rgb", **option))
