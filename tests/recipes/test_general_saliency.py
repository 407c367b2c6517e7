"""The recipe of the general model, on synthetic still images."""

import inspect

import cv2
import numpy as np
import pytest

import zoo
from zoo.models.general_variant import PARAMETERS, VARIANT, variant_of
from zoo.recipes import general_saliency as recipe
from zoo.training.stills.features import StillFeatures, canvas_of
from zoo.training.stills.half_precision import save_half_precision
from zoo.training.stills.scores import centred_gaussian, half_of_viewers, score_stills
from zoo.weights import RECORDS, fetch, read_provenance


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bright squares on noise; three viewers look at them."""
    root = tmp_path_factory.mktemp("stills")
    (root / "images").mkdir()
    rng, rows = np.random.default_rng(0), ["image,viewer,x,y"]
    for number in range(8):
        height, width = (48, 64) if number % 2 else (48, 48)
        picture = rng.integers(0, 80, (height, width, 3)).astype("uint8")
        x, y = rng.integers(8, 40, 2)
        picture[y - 5 : y + 5, x - 5 : x + 5] = 255
        cv2.imwrite(str(root / "images" / f"{number}.png"), picture)
        rows += [f"{number}.png,{viewer},{x + viewer - 1},{y}" for viewer in range(3)]
    (root / "fixations.csv").write_text("\n".join(rows) + "\n")
    return root


def config(folder, output, **options):
    return recipe.Config(
        data_dir=str(folder),
        output=str(output),
        weights="general",
        head_epochs=1,
        epochs=1,
        batch_size=2,
        **options,
    )


@pytest.mark.slow
def test_two_stages_and_weights_that_load(folder, tmp_path):
    results = recipe.main(config(folder, tmp_path / "run"))
    assert results["train_images"] == 7 and results["held_out_images"] == 1
    assert 0.6 <= results["temperature"] <= 1.4
    path = tmp_path / "run" / "general.weights.h5"
    assert path.stat().st_size < 8_000_000
    assert read_provenance(path)["options"]["variant"] == VARIANT
    with pytest.raises(ValueError, match=r"variant=1 and .* of variant 2"):
        zoo.general_saliency(weights=path, variant=1)
    assert str(folder) not in str(read_provenance(path))
    before = zoo.general_saliency(weights="general")
    after = zoo.general_saliency(weights=path)
    whole = zoo.load(tmp_path / "run" / "model.keras", verbose=False)
    for one, other in zip(whole.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)  # half precision
    changed = {
        a.path
        for a, b in zip(after.weights, before.weights)
        if not np.array_equal(np.asarray(a.value), np.asarray(b.value))
    }
    assert any("blocks_20" in name for name in changed)
    assert not any("blocks_6_" in name or "conv_stem" in name for name in changed)
    assert any("lateral_2" in name for name in changed)


def test_the_split_model_equals_the_whole_one(folder):
    model = zoo.general_saliency(weights="general", memory=1)
    trunk, _, upper = recipe.split(model)
    frame = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3)).astype("float32")
    parts = upper.predict(trunk.predict(frame, verbose=0), verbose=0)["log_density"]
    whole = model.predict(frame[:, None], verbose=0)["log_density"][:, 0]
    np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_batches_are_full_and_a_function_of_the_step(folder, tmp_path):
    stills = zoo.datasets.stills.load(folder, "train")
    trunk, _, _ = recipe.split(zoo.general_saliency(weights="general"))
    data = StillFeatures(stills, trunk, tmp_path)
    assert data.steps(2) == 4 and {canvas_of(s) for s in stills} == {(256, 256), (240, 320)}
    drawn = [i for batch in data.epoch(0, 0, 2) for i in batch]
    assert len(drawn) == 8 and set(drawn) == set(range(7))
    assert data.epoch(0, 0, 2) == data.epoch(0, 0, 2)
    assert data.epoch(0, 0, 2) != data.epoch(0, 1, 2) != data.epoch(1, 1, 2)
    first = list(data.stream(3, 2, 0).take(6))
    later = list(data.stream(3, 2, 4).take(2))
    for a, b in zip(first[4:], later):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
    target, mirrored = (data.target(0, way).sum(0) for way in (False, True))
    columns = np.arange(len(target)) + 0.5
    assert (mirrored @ columns) == pytest.approx(len(target) - target @ columns, abs=1.0)
    assert (mirrored @ columns) != pytest.approx(target @ columns, abs=2.0)
    assert data.target(0).sum() == pytest.approx(1.0, abs=1e-5)


def test_features_belong_to_their_images_and_weights(folder, tmp_path):
    stills = zoo.datasets.stills.load(folder, "train")
    trunk, _, _ = recipe.split(zoo.general_saliency(weights="general"))
    data = StillFeatures(stills, trunk, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    StillFeatures(stills, trunk, tmp_path)
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    fewer = StillFeatures(stills[1:], trunk, tmp_path)
    np.testing.assert_array_equal(fewer.features(0), data.features(1))
    for variable in trunk.weights[:1]:
        variable.assign(variable * 2)
    assert (StillFeatures(stills, trunk, tmp_path).features(0) != data.features(0)).any()


def test_half_precision_loses_nothing_else(tmp_path):
    model = zoo.general_saliency(weights="general", memory=1)
    save_half_precision(model, tmp_path / "a.weights.h5", {"architecture": "general_saliency"})
    other = zoo.general_saliency(memory=1)
    other.load_weights(tmp_path / "a.weights.h5")  # Keras's own reader
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one.astype("float16"), two.astype("float16"))


@pytest.mark.slow
def test_the_variant_of_a_file_without_a_record(tmp_path):
    for variant in range(3):
        model = zoo.general_saliency(variant=variant, memory=1, motion=0, centre=0)
        assert model.count_params() == PARAMETERS[variant]
        for path in (tmp_path / "plain.weights.h5", tmp_path / "model.keras"):
            model.save_weights(path) if path.suffix == ".h5" else model.save(path)
            assert variant_of(path) == variant
            same = zoo.general_saliency(weights=path, memory=1)
            np.testing.assert_array_equal(same.get_weights()[0], model.get_weights()[0])
            path.unlink()


def test_scores_of_still_images(folder):
    stills = zoo.datasets.stills.load(folder)
    gaussian = centred_gaussian(stills)
    uniform = [(still, np.zeros((12, 16), "float32")) for still in stills]
    assert score_stills(uniform, gaussian)["all"]["nss"] == 0.0
    halves = half_of_viewers(stills, gaussian)
    assert halves["all"]["nss"] > 3 and halves["all"]["information_gain"] > 1


def test_too_few_images(tmp_path, folder):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").write_bytes((folder / "images" / "0.png").read_bytes())
    (tmp_path / "fixations.csv").write_text("image,viewer,x,y\n0.png,1,3,3\n")
    with pytest.raises(ValueError, match="images to hold out"):
        recipe.main(config(tmp_path, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_defaults_are_the_shipped_options():
    shipped = read_provenance(fetch(RECORDS["general"]))["options"]
    builder = inspect.signature(zoo.general_saliency).parameters
    for name, value in shipped.items():
        if name == "variant":
            assert value == VARIANT == variant_of("general")
            continue
        assert builder[name].default == value == getattr(recipe.Config("stills"), name), name


@pytest.mark.slow
def test_options_reach_the_training(folder, tmp_path, monkeypatch):
    class Made(Exception):
        pass

    def make(name, rate, *, clip, weight_decay):
        raise Made(weight_decay)

    monkeypatch.setattr(recipe, "make_optimizer", make)
    for given, expected in ((0.0, None), (0.1, 0.1)):
        with pytest.raises(Made) as made:
            recipe.main(config(folder, tmp_path / str(given), weight_decay=given))
        assert made.value.args == (expected,)
    with pytest.raises(ValueError, match="give it or `backbone_weights`"):
        recipe.main(config(folder, tmp_path / "both", backbone_weights="a.h5"))
