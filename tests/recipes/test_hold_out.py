"""Every recipe trains on the training videos, validates on held-out ones, and keeps the best."""

import importlib

import pytest

from zoo.datasets import Samples, moving_targets
from zoo.training.named_data import load_records

MODEL = {"image_size": (32, 32), "width": 0.03, "units": 4, "num_components": 2, "window": 18}
FRAMES = {**MODEL, "trainable_backbone": True, "dense": True, "batch_size": 2}
ACTION = {"backbone": "small", "image_size": (32, 32), "num_frames": 4, "batch_size": 4}
# recipe: (the module that holds out and trains, options)
RECIPES = {
    "rmdn": ("zoo.recipes.rmdn", FRAMES),
    "joint": ("zoo.recipes.joint", FRAMES),
    "lsts": (
        "zoo.recipes.lsts",
        {
            "num_frames": 8,
            "image_size": (32, 32),
            "output_size": (12, 16),
            "width": 0.03125,
            "head_width": 0.015625,
            "batch_size": 4,
            "stride": 4,
        },
    ),
    "soft_attention": (
        "zoo.training.actions.recipe",
        {**ACTION, "units": 4, "num_layers": 1, "trainable_backbone": True},
    ),
    "spatiotemporal_attention": (
        "zoo.training.actions.recipe",
        {**ACTION, "filters": 4, "mask_filters": (4,), "score_units": 4},
    ),
    "small_video": (
        "zoo.recipes.small_video",
        {"image_size": (48, 48), "crop": 16, "num_frames": 6, "batch_size": 2},
    ),
}


class Enough(Exception):
    """Raised where training would start."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "moving_targets"
    moving_targets.make(root, num_videos=10, frames=20, size=(48, 48), viewers=2)
    return str(root)


def videos(records) -> set:
    return {record.video for record in records}


@pytest.mark.parametrize("name", RECIPES)
def test_training_validation_and_test_videos_are_disjoint(name, data, tmp_path, monkeypatch):
    where, options = RECIPES[name]
    module, recipe = importlib.import_module(where), importlib.import_module(f"zoo.recipes.{name}")
    parts, begun, judged = [], {}, set()

    def train(config, model, samples, output, **given):
        begun.update(given, model=model, samples=samples)
        raise Enough

    monkeypatch.setattr(module, "train", train)
    if name == "small_video":  # the data set's own splits
        parts.append([moving_targets.load(data, part) for part in ("train", "validation")])
    else:
        real = module.hold_out
        monkeypatch.setattr(module, "hold_out", lambda *a: parts.append(real(*a)) or parts[-1])
    given = {"data_dir": data, "output": str(tmp_path / "run"), "tensorboard": False, **options}
    with pytest.raises(Enough):
        recipe.main(recipe.Config(**given))
    ((trained, held),) = parts
    tested = videos(load_records("moving_targets", data, "test", "any"))
    assert tested and not videos([*trained, *held]) & tested
    assert not videos(trained) & videos(held)
    assert videos(begun["samples"].records) == videos(trained)

    in_order = Samples.in_order

    def noted(self, number):
        judged.add(self.records[self.places[number].video].video)
        return in_order(self, number)

    monkeypatch.setattr(Samples, "in_order", noted)
    values = begun["validate"](begun["model"], 0)
    assert judged == videos(held)
    monitor = begun.get("monitor") or "val_loss"
    assert monitor in values
    assert begun.get("larger_is_better", False) == ("accuracy" in monitor)
