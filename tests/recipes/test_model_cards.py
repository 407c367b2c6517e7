"""Every recipe writes a file that records the training: classes, data, command, results."""

from __future__ import annotations

import importlib
import json
import shlex

import cv2
import numpy as np
import pytest

from zoo.cli.info import describe
from zoo.cli.main import main
from zoo.cli.names import recipes
from zoo.cli.parsing import parse
from zoo.datasets import moving_targets
from zoo.training.run import run_facts

SMALL_C3D = (
    "--image-size 32 32 --width 0.03 --units 4 --num-components 2 --window 18 --dense "
    "--trainable-backbone --score-every 9 --batch-size 2"
)
SMALL_ACTION = "--backbone small --image-size 32 32 --num-frames 6 --batch-size 4"
# Recipe -> options for a run of one epoch of two or three steps.
RUNS = {
    "rmdn": SMALL_C3D,
    "joint": SMALL_C3D,
    "lsts": "--num-frames 8 --image-size 32 32 --output-size 12 16 --width 0.03125 --stride 4 "
    "--head-width 0.015625 --batch-size 4 --initial pad --evaluate-stride 8",
    "soft_attention": f"{SMALL_ACTION} --units 4 --num-layers 1 --test-stride 6",
    "spatiotemporal_attention": f"{SMALL_ACTION} --filters 4 --mask-filters 4 --score-units 4",
    "small_video": "--image-size 48 48 --crop 16 --num-frames 6 --filters 4 6 6 --batch-size 4",
}
QUICK = ("rmdn", "small_video")
ACTIONS = ("joint", "soft_attention", "spatiotemporal_attention", "small_video")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "moving_targets"
    moving_targets.make(root, num_videos=10, frames=18, size=(48, 48), viewers=3)
    return str(root)


def checked_card(path, dataset, capsys):
    """The card of a recipe's model, after checking that `zoo info` lists all of it."""
    capsys.readouterr()
    assert main(["info", str(path)]) == 0
    listed = capsys.readouterr().out
    card = describe(str(path))["card"]
    assert card["dataset"] == dataset and f"trained on: {dataset}" in listed
    assert {"video-attention-zoo", "keras", "tensorflow"} <= set(card["versions"])
    assert card["date"][:2] == "20" and card["date"] in listed
    assert card["results"] and "results, " in listed
    assert card["command"] in listed
    return card


def check_command(command, name, arguments):
    """A card's command must set the same options as the arguments of the run."""
    words, config = shlex.split(command), importlib.import_module(f"zoo.recipes.{name}").Config
    assert words[:3] == ["zoo", "train", name]
    assert parse(config, words[3:], name) == parse(config, arguments, name)


@pytest.mark.filterwarnings("ignore:I3D of the")
@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RUNS],
)
def test_recipes_of_videos(name, data, tmp_path, capsys):
    arguments = ["--data-dir", data, "--output", str(tmp_path), "--epochs", "1"]
    arguments += ["--no-tensorboard", "--no-deterministic", *shlex.split(RUNS[name])]
    assert main(["train", name, *arguments]) == 0, capsys.readouterr().err
    file = tmp_path / ("backbone.keras" if name == "small_video" else "model.keras")
    said = capsys.readouterr().out
    assert f"model: {file}" in said and "next: zoo " in said
    card = checked_card(file, "moving_targets", capsys)
    assert card.get("classes") == (list(moving_targets.CLASSES) if name in ACTIONS else None)
    tested = {"test"} if name != "small_video" else set()
    assert set(card["results"]) == {"validation", *tested}
    check_command(card["command"], name, arguments)


@pytest.mark.slow
def test_general_saliency(tmp_path, capsys):
    folder = tmp_path / "my_stills"
    (folder / "images").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), ["image,viewer,x,y"]
    for number in range(8):
        picture = rng.integers(0, 256, (48, 48, 3)).astype("uint8")
        cv2.imwrite(str(folder / "images" / f"{number}.png"), picture)
        rows += [f"{number}.png,{viewer},{20 + viewer},{10 + number}" for viewer in range(3)]
    (folder / "fixations.csv").write_text("\n".join(rows) + "\n")
    arguments = ["--data-dir", str(folder), "--output", str(tmp_path / "run")]
    arguments += shlex.split("--weights general --head-epochs 1 --epochs 0 --batch-size 4")
    assert main(["train", "general_saliency", *arguments]) == 0, capsys.readouterr().err
    card = checked_card(tmp_path / "run" / "model.keras", "my_stills", capsys)
    assert card["results"]["held_out"]["all"]["nss"] is not None
    check_command(card["command"], "general_saliency", arguments)


@pytest.mark.filterwarnings("ignore:C3D has random weights")
def test_saliency_svm_has_no_network_and_says_it_in_its_results(data, tmp_path, capsys):
    arguments = ["--data-dir", data, "--output", str(tmp_path), "--width", "0.03"]
    arguments += ["--image-size", "32", "32", "--stride", "4", "--bias-components", "2"]
    assert main(["train", "saliency_svm", *arguments]) == 0, capsys.readouterr().err
    held = json.loads((tmp_path / "results.json").read_text())
    assert held["run"]["dataset"] == "moving_targets" and held["run"]["date"][:2] == "20"
    assert held["classes"] == list(moving_targets.CLASSES) and "keras" in held["run"]["versions"]
    check_command(held["run"]["command"], "saliency_svm", arguments)


@pytest.mark.slow
def test_demo(tmp_path, capsys):
    arguments = f"--output {tmp_path} --num-videos 10 --frames 20 --epochs 1"
    assert main(["train", "demo", *arguments.split()]) == 0, capsys.readouterr().err
    card = checked_card(tmp_path / "run" / "model.keras", "moving_targets", capsys)
    assert card["results"]["test"]["rmdn"]["nss"] is not None
    assert card["command"].startswith("zoo train rmdn ")


def test_no_recipe_is_left_out():
    assert set(recipes()) == {*RUNS, "general_saliency", "saliency_svm", "demo"}


def test_a_command_has_the_options_that_are_not_the_defaults():
    from zoo.recipes import rmdn

    options = {"dense": True, "tensorboard": False, "image_size": (48, 64), "patience": 3}
    command = run_facts(rmdn.Config(**options))["command"]
    words = "--patience 3 --no-tensorboard --image-size 48 64 --dense"
    assert command == f"zoo train rmdn {words}"
    check_command(command, "rmdn", words.split())


def test_the_users_own_data_are_named_by_file_or_folder():
    from zoo.recipes import joint

    config = joint.Config(dataset="csv", data_dir="films/labels.csv", more=("dhf1k=DHF1K",))
    facts = run_facts(config)
    assert facts["dataset"] == "csv (labels.csv), dhf1k=DHF1K"
    check_command(facts["command"], "joint", [*shlex.split(facts["command"])[3:]])
    assert facts["command"] == (
        "zoo train joint --data-dir films/labels.csv --dataset csv --more dhf1k=DHF1K"
    )
