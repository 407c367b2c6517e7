"""Model cards: what a saved model records about itself."""

import json
import zipfile

import keras
import numpy as np
import pytest

import zoo
from zoo.cli.info import describe
from zoo.cli.main import main
from zoo.files.model_card import MEMBER, read_card, write_card
from zoo.models.saving import card_of


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 4), name="rgb")
    x = keras.layers.GlobalAveragePooling1D()(inputs)
    action = keras.layers.Dense(2, activation="softmax", name="action")(x)
    return keras.Model(inputs, {"action": action}, name="tiny")


def test_a_card_is_kept_through_saving_and_loading(model, tmp_path, capsys):
    first, second = tmp_path / "a.keras", tmp_path / "b.keras"
    results = {"accuracy": np.float32(0.5), "test": {"map": float("nan"), "videos": 3}}
    zoo.save(model, first, classes=("walk", "run"), dataset="made", results=results, note="x")
    loaded = zoo.load(first)
    said = capsys.readouterr().out
    for text in (
        "classes: 2: walk, run",
        "trained on: made",
        "accuracy 0.5",
        "tensorflow",
        "note: x",
    ):
        assert text in said
    assert card_of(loaded)["results"] == {"accuracy": 0.5, "test": {"map": None, "videos": 3}}
    zoo.save(loaded, second, dataset="other")
    card = read_card(second)
    assert card["classes"] == ["walk", "run"] and card["dataset"] == "other"
    # Keras's own loader reads the file too.
    again = keras.models.load_model(second)
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_file_without_a_card(model, tmp_path, capsys):
    path = tmp_path / "plain.keras"
    model.save(path)
    assert card_of(zoo.load(path)) == {}
    assert capsys.readouterr().out == ""
    write_card(path, {"dataset": "added"})
    write_card(path, {**read_card(path), "results": {"nss": 2.0}})
    assert read_card(path) == {"dataset": "added", "results": {"nss": 2.0}}
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist().count(MEMBER) == 1 and archive.testzip() is None
    zoo.load(path, verbose=False)
    assert capsys.readouterr().out == ""


def test_bad_cards(model, tmp_path):
    with pytest.raises(ValueError, match=r"3 names, 2 classes"):
        zoo.save(model, tmp_path / "x.keras", classes=("a", "b", "c"))
    with pytest.raises(ValueError, match=r"end in \.keras"):
        zoo.save(model, tmp_path / "x.h5")
    with pytest.raises(TypeError):
        zoo.save(model, tmp_path / "x.keras", odd=object())
    assert not list(tmp_path.iterdir())  # no partial file
    path = tmp_path / "y.keras"
    zoo.save(model, path)
    write_card(path, {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(MEMBER, "not json")
    with pytest.raises(ValueError, match="must be JSON"):
        read_card(path)


def test_info(model, tmp_path, capsys):
    path = str(tmp_path / "a.keras")
    zoo.save(model, path, classes=("walk", "run"), command="zoo train x")
    facts = describe(path)
    assert facts["graph"]["weights"] == model.count_params()
    assert facts["graph"]["inputs"] == {"rgb": [None, None, 4]}
    assert facts["graph"]["outputs"] == ["action"]
    assert main(["info", path]) == 0
    assert "command: zoo train x" in capsys.readouterr().out
    assert main(["info", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["classes"] == ["walk", "run"]
    cut = tmp_path / "cut.keras"
    cut.write_bytes((tmp_path / "a.keras").read_bytes()[:200])
    for bad in (str(cut), str(tmp_path), "nowhere.keras"):
        assert main(["info", bad]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert main(["info"]) == 2
