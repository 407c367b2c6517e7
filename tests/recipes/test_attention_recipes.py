import numpy as np
import pytest

from zoo.datasets import moving_targets
from zoo.datasets.record import Record
from zoo.recipes import soft_attention, spatiotemporal_attention
from zoo.training.action_videos import ActionVideo, Batches, block_starts, spread, targets

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


def test_soft_attention_trains_from_frames(data, tmp_path):
    config = soft_attention.Config(
        data_dir=data,
        output=str(tmp_path / "run"),
        units=5,
        num_layers=1,
        trainable_backbone=True,
        test_stride=5,
        **SMALL,
    )
    results = soft_attention.main(config)
    assert 0 <= results["test"]["accuracy"] <= 1
    assert (tmp_path / "run" / "model.keras").is_file()
    assert list((tmp_path / "run" / "logs" / "validation").glob("events*"))


@pytest.mark.slow
def test_spatiotemporal_attention_trains_from_cached_features(data, tmp_path):
    config = spatiotemporal_attention.Config(
        data_dir=data,
        output=str(tmp_path / "run"),
        filters=4,
        mask_filters=(4,),
        score_units=4,
        **SMALL,
    )
    results = spatiotemporal_attention.main(config)
    assert results["test"]["log_concavity"] >= 0
    assert results["test"]["weight_in_segments"] > 0
    assert 0 <= results["test"]["temporal_map"] <= 1
    assert 0 <= results["test"]["spatial_map"] <= 1
    import zoo

    model = zoo.load(tmp_path / "run" / "model.keras")
    assert model.input_shape == (None, 6, 32, 32, 3)
    again = spatiotemporal_attention.main(config)  # the run is over: nothing is trained again
    assert again["test"] == results["test"]


def test_labels_are_checked():
    with pytest.raises(ValueError, match="Labels must be from 0 to 2"):
        targets([Record("a", "a.mp4", label=3)], 3, False)
    with pytest.raises(ValueError, match="set `multi_label`"):
        targets([Record("a", "a.mp4", label=(0, 1))], 3, False)
    hot = targets([Record("a", "a.mp4", label=(0, 2))], 3, True)
    np.testing.assert_array_equal(hot[0], [1, 0, 1])


def test_samples():
    np.testing.assert_array_equal(spread(8, 4), [1, 3, 5, 7])
    np.testing.assert_array_equal(spread(2, 4), [0, 0, 1, 1])
    assert block_starts(10, 8) == [0, 1, 2]
    videos = [ActionVideo(Record(str(i), ""), np.full((9, 2, 2, 1), i), i) for i in range(6)]
    batches = Batches(videos, 4, 2, sampling="block", seed=3)
    whole = list(batches(1))
    later = list(batches(1, start=1))
    assert len(whole) == 3
    np.testing.assert_array_equal(whole[1][0], later[0][0])
    seen = np.concatenate([targets["action"] for _, targets in whole])
    assert sorted(seen) == list(range(6))


def test_too_few_frames_are_named(data, tmp_path):
    options = {**SMALL, "num_frames": 40}
    config = soft_attention.Config(data_dir=data, output=str(tmp_path / "run"), **options)
    with pytest.raises(ValueError, match="must have 40 frames or more"):
        soft_attention.main(config)
