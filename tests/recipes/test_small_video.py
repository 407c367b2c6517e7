import keras
import numpy as np
import pytest

from tests.recipes.resume import compare
from zoo.backbones import small_video
from zoo.datasets import moving_targets
from zoo.models import soft_attention
from zoo.recipes import small_video as recipe
from zoo.recipes import spatiotemporal_attention


def test_the_backbone_sees_motion():
    keras.utils.set_random_seed(0)
    backbone = small_video(image_size=16, filters=(4, 6))
    video = np.zeros((1, 12, 16, 16, 3), "float32")
    for frame in range(12):
        video[0, frame, 4:8, frame : frame + 4] = 255
    there, back = backbone.predict(video, verbose=0), backbone.predict(video[:, ::-1], verbose=0)
    assert there.shape == (1, 4, 4, 4, 6)
    # Reversed frames do not give the same maps in reversed order.
    assert np.abs(there - back[:, ::-1]).max() > 1e-3


def test_a_model_accepts_a_video_backbone():
    backbone = small_video(image_size=16, num_frames=12, filters=(4, 6))
    model = soft_attention(
        num_classes=3, num_frames=12, backbone=backbone, units=5, num_layers=1, dropout=0.0
    )
    video = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 16, 3)).astype("float32")
    outputs = model.predict(video, verbose=0)
    assert outputs["action"].shape == (2, 4, 3)
    assert outputs["spatial_attention"].shape == (2, 4, 4, 4)
    assert not backbone.trainable_weights


@pytest.mark.slow
def test_pretrained_on_cut_out_actions_then_attention_on_whole_videos(tmp_path):
    moving_targets.make(tmp_path / "data", num_videos=10, frames=18, size=(48, 48), viewers=1)
    config = recipe.Config(
        data_dir=str(tmp_path / "data"),
        output=str(tmp_path / "backbone"),
        image_size=(48, 48),
        crop=16,
        num_frames=6,
        filters=(12, 24, 24),
        batch_size=4,
        epochs=1,
        deterministic=False,
    )
    results = recipe.main(config)
    assert 0 <= results["validation"]["val_accuracy"] <= 1
    with pytest.raises(ValueError, match="`crop` must be"):
        recipe.main(recipe.Config(crop=60))
    attention = spatiotemporal_attention.Config(
        data_dir=str(tmp_path / "data"),
        output=str(tmp_path / "run"),
        image_size=(48, 48),
        backbone="small_video",
        backbone_weights=str(tmp_path / "backbone" / "backbone.keras"),
        num_frames=18,
        filters=3,
        mask_filters=(3,),
        score_units=3,
        batch_size=4,
        epochs=1,
        deterministic=False,
        tensorboard=False,
    )
    found = spatiotemporal_attention.main(attention)["test"]
    assert {"temporal_map", "whole_video_map", "spatial_map", "centre_box_map"} <= set(found)
    import zoo

    model = zoo.load(tmp_path / "run" / "model.keras")
    assert model.input_shape == (None, 18, 48, 48, 3)
    trained = zoo.load(tmp_path / "backbone" / "backbone.keras").get_weights()
    for one, other in zip(trained, model.get_layer("small_video").get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_the_pretraining_resumes_after_an_interruption(tmp_path):
    moving_targets.make(tmp_path / "data", num_videos=10, frames=18, size=(48, 48), viewers=1)
    config = recipe.Config(
        data_dir=str(tmp_path / "data"),
        image_size=(48, 48),
        crop=16,
        num_frames=6,
        batch_size=2,
        epochs=3,
    )
    compare(recipe.main, config, tmp_path, steps=(1, 3), model="backbone.keras")


@pytest.mark.parametrize(
    "option", [{"dataset": "ucf101"}, {"cache": "a"}, {"validation_share": 0.5}]
)
def test_options_without_an_effect_are_errors(option):
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` must not be changed"):
        recipe.main(recipe.Config(**option))
