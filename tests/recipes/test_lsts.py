"""The LSTS recipe: clips of frames, cached features, batches, resume, and a run on made data."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest

from zoo.datasets import moving_targets
from zoo.datasets.video.flow import store_flow
from zoo.models.lsts import lsts_features
from zoo.recipes import lsts
from zoo.training.lsts_clips import (
    ClipBatches,
    ClipFeatures,
    clip_frames,
    halved,
    predicted_frames,
    stream_frames,
)
from zoo.training.windows import Source

RNG = np.random.default_rng(0)


def _source(frames=12):
    inputs = RNG.integers(0, 255, (frames, 32, 32, 3)).astype("uint8")
    return Source("a", inputs, RNG.random((frames, 3, 2)).astype("float32"), "key")


def test_frames_of_a_clip():
    np.testing.assert_array_equal(clip_frames([78], 79)[0], np.arange(79))
    np.testing.assert_array_equal(clip_frames([39], 79, "centre")[0], np.arange(79))
    assert predicted_frames(100, 79, "last", "rgb")[0] == 78
    # The first flow is that of frame 1, so that of a clip of 79 is ready at frame 79.
    assert predicted_frames(100, 79, "last", "flow")[0] == 79
    assert predicted_frames(100, 79, "last", "both", 4).tolist() == list(range(79, 100, 4))
    assert predicted_frames(100, 79, "centre", "rgb").tolist() == list(range(39, 61))
    assert len(predicted_frames(78, 79, "last", "rgb")) == 0


def test_flow_stands_at_the_frame_it_leads_to():
    frames = np.zeros((4, 32, 32, 3), "uint8")
    method = lambda a, b: np.stack([a, b], -1).astype("float32")  # noqa: E731
    frames += np.arange(4, dtype="uint8")[:, None, None, None]
    flow = stream_frames(frames, "flow", method=method, size=(32, 32))
    np.testing.assert_array_equal(flow[:, 0, 0], [(0, 0), (0, 1), (1, 2), (2, 3)])


def test_features_are_those_of_the_clip_and_are_kept(tmp_path):
    extractor = lsts_features(num_frames=8, image_size=32, width=1 / 32)
    cache = ClipFeatures(tmp_path, extractor, {"x": 1}, batch_size=2)
    source = _source()
    found = cache.get(source, np.array([7, 9, 11]), "last")
    expected = extractor(source.inputs[None, 2:10].astype("float32"))
    np.testing.assert_allclose(found[1], np.asarray(expected)[0], rtol=2e-3, atol=1e-3)
    padded = cache.get(source, np.array([0]), "last")
    expected = extractor(np.repeat(source.inputs[None, :1], 8, 1).astype("float32"))
    np.testing.assert_allclose(padded, expected, rtol=2e-3, atol=1e-3)
    # Kept, and never shared with other settings or another backbone.
    cache.extractor = None
    files = sorted(tmp_path.rglob("*.npy"))
    assert len(files) == 2
    other = lsts_features(num_frames=8, image_size=32, width=1 / 16)
    assert ClipFeatures(tmp_path, other, {"x": 1}).folder != cache.folder
    assert ClipFeatures(tmp_path, extractor, {"x": 2}).folder != cache.folder


def test_a_cache_of_another_pooling_is_an_error(tmp_path):
    extractor = lsts_features(num_frames=8, image_size=32, width=1 / 32)
    cache = ClipFeatures(tmp_path, extractor, {})
    cache.get(_source(), np.array([7]), "last")
    path = next(tmp_path.rglob("*.npy"))
    np.save(path, np.zeros((1, 5, 5, 5, 1024), "float16"))
    with pytest.raises(ValueError, match="backbone and pooling"):
        cache.get(Source("a", *_parts(_source()), "key"), np.array([7]), "last")


def _parts(source):
    return source.inputs, source.points


def test_batches_depend_on_seed_epoch_and_step_alone():
    features = [RNG.random((5, 1, 2, 2, 4)).astype("float16"), RNG.random((4, 1, 2, 2, 4))]
    points = [RNG.random((5, 3, 2)).astype("float32"), RNG.random((4, 3, 2)).astype("float32")]
    points[0][2] = np.nan  # nobody looked: no truth
    batches = ClipBatches(features, points, (12, 16), batch_size=3, seed=1)
    assert batches.steps == 2 and len(batches.places) == 8
    whole, rest = list(batches.batches(4)), list(batches.batches(4, 1))
    np.testing.assert_array_equal(whole[1][0], rest[0][0])
    truth = whole[0][1]["saliency"]
    assert truth.shape == (3, 12, 16, 2)
    np.testing.assert_allclose(truth[..., 0].sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(truth[..., 1].sum((1, 2)), 3)
    assert sum(len(x) for x, _ in batches.in_order()) == 8


def test_the_rate_is_halved_by_iterations():
    assert [halved(1.0, i, 50) for i in (0, 49, 50, 149)] == [1, 1, 0.5, 0.25]
    assert halved(1.0, 10_000, None) == 1


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
    assert held["frames_evaluated"] > 8 * held["num_videos"]  # those before the first clip too
    clip = {"rgb": np.zeros((1, 8, 32, 32, 3)), "flow": np.zeros((1, 8, 32, 32, 2))}
    assert model(clip)["saliency"].shape == (1, 12, 16)
    with pytest.raises(ValueError, match="another configuration"):
        lsts.main(dataclasses.replace(config, rate=1.0))


def test_short_test_videos_are_named_and_left_out(made):
    records = moving_targets.load(made)
    with pytest.warns(UserWarning, match=r"5 of 5 test videos have fewer than 17 frames.*\(16\)"):
        assert lsts._long_enough(records, 17) == []
    assert lsts._long_enough(records, 16) == records


def test_stored_flow_is_read_and_must_fit_the_video(tmp_path):
    source = _source()
    extractor = lsts_features(stream="flow", num_frames=8, image_size=32, width=1 / 32)
    options = {"flow_options": {"size": (16, 16)}, "batch_size": 2}
    computed = ClipFeatures(tmp_path, extractor, {}, **options)
    stored = ClipFeatures(tmp_path, extractor, {"stored": 1}, flow_dir=tmp_path, **options)
    store_flow(tmp_path / "a.npy", source.inputs, num_frames=12, size=(16, 16))
    one, other = (next(c.clips(source, np.array([8, 9]), "last")) for c in (computed, stored))
    assert np.abs(one).max() > 1
    np.testing.assert_allclose(other, one, atol=0.02)
    store_flow(tmp_path / "a.npy", source.inputs[:10], num_frames=10, size=(16, 16))
    with pytest.raises(ValueError, match=r"must be that of the video, \(12, .*a\.npy.*\(10, 16"):
        next(stored.clips(source, np.array([8]), "last"))


@pytest.mark.filterwarnings("ignore")
def test_videos_shorter_than_a_clip_are_an_error(made, tmp_path):
    options = {**SMALL, "num_frames": 16, "streams": "flow"}
    with pytest.raises(ValueError, match="17 frames"):
        lsts.main(lsts.Config(data_dir=str(made), output=str(tmp_path), **options))
