import dataclasses
import json

import keras
import numpy as np
import pytest

import zoo
from zoo.datasets import moving_targets
from zoo.recipes import saliency_svm
from zoo.training.svm.classifier import GRID, LinearSVM
from zoo.training.svm.features import Descriptors
from zoo.training.svm.tables import TABLE_3, TABLE_4, TABLE_5, table_3, table_4, table_5


def blobs(count=60, width=20, seed=0, several=False):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    x = rng.normal(size=(count, width)) + 3.0 * np.eye(3)[labels] @ np.eye(3, width)
    return x.astype("float32"), np.eye(3, dtype=int)[labels] if several else labels


@pytest.mark.parametrize("several", [False, True])
def test_svm_learns_and_takes_c_from_the_grid(several):
    x, labels = blobs(several=several)
    svm = LinearSVM(multi_label=several).fit(x, labels)
    assert svm.chosen in GRID and len(GRID) == 7 and GRID[0] == 1e-9 and GRID[-1] == 1e3
    other = blobs(seed=1, several=several)
    assert svm.measure(*other) > 0.9
    assert svm.scores(other[0]).shape == (60, 3)


def test_hold_out_is_a_fifth_and_the_last_fit_takes_everything(monkeypatch):
    x, labels = blobs()
    fitted = []
    real = LinearSVM._fit
    monkeypatch.setattr(
        LinearSVM, "_fit", lambda self, a, b, c: (fitted.append((len(a), c)), real(self, a, b, c))
    )
    svm = LinearSVM().fit(x, labels)
    assert fitted == [(48, c) for c in GRID] + [(60, svm.chosen)]


def test_pca_and_classes_without_videos():
    x, labels = blobs()
    svm = LinearSVM(components=5).fit(x, labels)
    assert svm._pca.n_components == 5
    hot = np.zeros((60, 2), int)
    hot[:, 0] = labels == 0
    scores = LinearSVM(multi_label=True).fit(x, hot).scores(x)
    assert (scores[:, 1] == -1).all()
    with pytest.raises(ValueError, match="at least 5 videos"):
        LinearSVM().fit(x[:3], labels[:3])


@dataclasses.dataclass
class Video:
    key: str
    held: np.ndarray
    points: np.ndarray

    def frames(self):
        return self.held


def extractor(dense=True):
    """Features that are the frames themselves, which shows what was done to the frames."""
    video = keras.Input((None if dense else 16, 8, 8, 3), name="rgb")
    x = keras.layers.Rescaling(1.0)(video)
    if not dense:
        x = keras.layers.MaxPooling3D((16, 1, 1))(x)
    vector = keras.layers.Reshape((-1, 192) if dense else (192,))(x)
    return keras.Model(video, {"conv5": x, "fc6": vector})


def test_descriptors(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.uniform(0, 255, (18, 8, 8, 3)).astype("float32")
    points = np.full((18, 1, 2), np.nan, "float32")
    points[3:] = (0.3125, 0.6875)  # the middle of column 2, row 5
    source = Video("a", frames, points)
    for dense in (True, False):
        held = Descriptors(tmp_path, extractor(dense), None, sigma=0.02)
        original = held.get(source, "original")
        np.testing.assert_allclose(original["fc6"], frames.max(0).reshape(-1), rtol=1e-5)
        np.testing.assert_allclose(original["conv5"], original["fc6"])
        for mode in ("clip", "feature"):
            name = "fc6" if mode == "clip" else "conv5"
            found = held.get(source, "truth", mode)[name].reshape(8, 8, 3)
            np.testing.assert_allclose(found[5, 2], frames[:, 5, 2].max(0), rtol=0.02)
            found[5, 2] = 0
            assert found.max() < 5
        assert "fc6" not in held.get(source, "truth", "feature")
        with pytest.raises(ValueError, match="needs a saliency model"):
            held.get(source, "predicted")
    bare = Video("b", frames, np.full_like(points, np.nan))
    with pytest.raises(ValueError, match="True saliency needs gaze"):
        held.get(bare, "truth")


def test_a_map_of_several_frames_is_weighted_by_the_saliency_of_their_middle(tmp_path):
    frames = np.full((18, 8, 8, 3), 100.0, "float32")
    points = np.full((18, 1, 2), 0.0625, "float32")  # row 0, column 0
    points[[1, 4, 7, 10, 13, 16]] = (0.3125, 0.6875)
    video = keras.Input((None, 8, 8, 3))
    thirds = keras.Model(video, {"conv5": keras.layers.MaxPooling3D((3, 1, 1))(video)})
    source = Video("a", frames, points)
    found = Descriptors(tmp_path, thirds, None, sigma=0.02).get(source, "truth", "feature")
    found = found["conv5"].reshape(8, 8, 3)
    np.testing.assert_allclose(found[5, 2], 100.0, rtol=0.02)
    assert found[0, 0].max() < 1


def test_predicted_and_diffused_saliency(tmp_path):
    keras.utils.set_random_seed(0)
    frames = np.random.default_rng(0).uniform(0, 255, (18, 8, 8, 3)).astype("float32")
    source = Video("a", frames, np.zeros((18, 1, 2), "float32"))
    video = keras.Input((None, 8, 8, 3))
    trunk = keras.Model(video, keras.layers.AveragePooling3D((1, 2, 2))(video))
    saliency = zoo.rmdn(backbone=trunk, dense=True, units=4, num_components=2, dropout=0.0)
    head = saliency.get_layer("mixture")
    kernel, offset = head.get_weights()
    kernel[:, 5::6] = 0.0  # without correlation the weights are exact
    head.set_weights([kernel, offset])
    bias = np.array([[0.0, 0.5, 0.5, -1.0, -1.0, 0.0]], "float32")
    held = Descriptors(tmp_path, extractor(), saliency, central_bias=bias)
    mixture = keras.ops.convert_to_numpy(saliency(frames[None])["mixture"])
    centres = (np.arange(256, dtype="float32") + 0.5) / 256
    grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)

    def density(mixture):
        log_prob = zoo.layers.mixture_log_prob(mixture, np.tile(grid, (len(mixture), 1, 1)))
        cells = np.exp(keras.ops.convert_to_numpy(log_prob)).reshape(-1, 8, 32, 8, 32)
        return cells.sum((2, 4))

    own, other = density(mixture[0]), density(np.tile(bias, (18, 1, 1)))
    for kind, wanted in (("predicted", own), ("diffused", own + other), ("central_bias", other)):
        weights = wanted / wanted.max((1, 2), keepdims=True)
        expected = (frames * weights[..., None]).max(0).reshape(-1)
        np.testing.assert_allclose(held.get(source, kind)["fc6"], expected, rtol=1e-3, atol=1e-2)


def test_printed_tables():
    assert table_3({("fc6", "clip", 5): 50.0}, "mAP", "x").splitlines()[-3].endswith("| 50 |")
    assert "| 47 | 41.78 | 55.12 | 39 | 54.85 |" in table_3({}, "mAP", "x")
    assert len(TABLE_3) == 3 and len(TABLE_5) == 9 and len(TABLE_4) == 13
    # The printed means are those of the printed rows.
    for column in range(5):
        rows = [values[column] for name, values in TABLE_4.items() if name != "Mean"]
        assert np.mean(rows) == pytest.approx(TABLE_4["Mean"][column], abs=0.11)
    text = table_4({"predicted": {"Eat": 12.5, "Mean": 3.0}}, ("Eat",), "x")
    row = next(line for line in text.splitlines() if line.startswith("| Eat"))
    assert row == "| Eat | 67.3 | 59.4 | 58.6 | 70 | 49.1 | - | - | 12.5 |"
    assert "| C3D + RMDN + linear SVM | 81.5 | 80 |" in table_5({"predicted": 80.0}, "x", 3)


@pytest.mark.filterwarnings("ignore:C3D has random weights")
@pytest.mark.slow
def test_recipe_on_moving_targets(tmp_path, capsys):
    root = tmp_path / "made"
    moving_targets.make(root, num_videos=30, frames=18, size=(48, 48), viewers=3)
    keras.utils.set_random_seed(0)
    saliency = zoo.rmdn(image_size=32, width=0.03, units=4, num_components=2)
    saliency.save(tmp_path / "rmdn.keras")
    config = saliency_svm.Config(
        data_dir=str(root),
        output=str(tmp_path / "out"),
        saliency=str(tmp_path / "rmdn.keras"),
        width=0.03,
        image_size=(32, 32),
        stride=2,
        bias_components=2,
    )
    results = saliency_svm.main(config)
    names = set(results["mean"])
    rows = {"conv5/feature": 5, "conv5/clip": 5, "fc6/clip": 5}
    assert names == {f"{row}/{e}" for row, n in rows.items() for e in range(1, n + 1)} | {
        "fc6/clip/pca"
    }
    assert all(0 <= value <= 100 for value in results["mean"].values())
    assert all(results["table_5"][k] is not None for k in ("original", "predicted", "diffused"))
    assert set(results["folds"][0]["classes"]) == {"truth", "predicted", "central_bias"}
    printed = capsys.readouterr().out
    for number in (3, 4, 5):
        assert f"Table {number}. Published" in printed
    assert (tmp_path / "out/tables.md").read_text() in printed
    again = saliency_svm.main(config)
    assert again["mean"] == results["mean"]
    assert json.loads((tmp_path / "out/results.json").read_text())["measure"] == "accuracy"


@pytest.mark.parametrize(
    "option",
    [{"extractor": "e.keras", "width": 0.5}, {"bias": "b.npy", "bias_components": 3}],
)
def test_options_without_an_effect_are_errors(option):
    given, unused = option
    with pytest.raises(ValueError, match=f"`{unused}` .*must not be changed with `{given}`"):
        saliency_svm.main(saliency_svm.Config(**option))
