from __future__ import annotations

import importlib.util
import os

import keras
import numpy as np
import pytest

import zoo
from tests.export.models import MODELS, make
from zoo.cli.main import main
from zoo.inference.export import Exported, ExportError, export
from zoo.inference.exporting import formats as export_formats
from zoo.inference.exporting.formats import FORMATS, missing_packages
from zoo.inference.exporting.lowering import plain_operations, unrolled_scans

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="formats are written with TensorFlow"
)
FILES = {
    "keras": ["m.keras"],
    "savedmodel": ["m"],
    "onnx": ["m.onnx"],
    "litert": ["m.tflite"],
    "openvino": ["m.bin", "m.xml"],
}


def needs(format):
    missing = missing_packages(FORMATS[format])
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed; `make export` has them")


@pytest.fixture(scope="module")
def head():
    """The smallest recurrent model: mixtures from given features."""
    keras.utils.set_random_seed(0)
    return zoo.rmdn(backbone=None, feature_shape=(5,), units=3, num_components=2)


@pytest.mark.parametrize("format", FORMATS)
def test_a_head(tmp_path, head, format):
    needs(format)
    told = export(head, tmp_path / "m", format=format, frames=4)
    assert isinstance(told, Exported)
    assert set(told.differences) == {"mixture"}
    assert told.differences["mixture"] < 1e-5
    assert told.inputs["features"] == (1 if format == "litert" else None, 4, 5)
    assert sorted(os.listdir(tmp_path)) == FILES[format]
    # The exported file runs without the model, on other inputs than those of the check.
    features = np.random.default_rng(7).normal(size=(1, 4, 5)).astype("float32")
    (found,) = FORMATS[format].run(told.path, {"features": features}).values()
    np.testing.assert_allclose(found, head(features)["mixture"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", MODELS)
def test_every_model(tmp_path, name, format):
    needs(format)
    model, frames = make(name)
    if format in ("keras", "savedmodel"):
        frames = None  # any length
    told = export(model, tmp_path / "m", format=format, frames=frames)
    outputs = model.output if isinstance(model.output, dict) else {}
    assert set(told.differences) == set(outputs)
    assert max(told.differences.values()) < 1e-4


@pytest.mark.parametrize(
    "change", [lambda x: x * 1.001, lambda x: x[:, :-1], lambda x: np.full_like(x, np.nan)]
)
def test_an_export_with_other_outputs_is_rejected_and_deleted(tmp_path, head, monkeypatch, change):
    form = FORMATS["keras"]

    def run(path, inputs):
        return {name: change(value) for name, value in form.run(path, inputs).items()}

    broken = export_formats.Format(form.ending, (), False, form.write, run)
    monkeypatch.setitem(FORMATS, "keras", broken)
    with pytest.raises(ExportError, match=r"the model's by at most 0\.0001|must have the shape"):
        export(head, tmp_path / "m", frames=4)
    assert os.listdir(tmp_path) == []


def test_litert_needs_the_number_of_frames(tmp_path, head, capsys, monkeypatch):
    needs("litert")
    with pytest.raises(ExportError, match=r"litert needs fixed sizes: .*`frames`"):
        export(head, tmp_path / "m", format="litert")
    monkeypatch.chdir(tmp_path)
    head.save("best.keras")
    assert main(["export", "best.keras", "--format", "litert"]) == 2
    assert "set the number of frames" in capsys.readouterr().err


def test_impossible_exports_are_reported(tmp_path, head, monkeypatch):
    with pytest.raises(ValueError, match=r"`format` must be one of .*'openvino'"):
        export(head, tmp_path / "m", format="tensorrt")
    with pytest.raises(ExportError, match="number of frames is 4, so `frames` must be left out"):
        export(make("soft_attention_frames")[0], tmp_path / "m", frames=9)
    inputs = keras.Input((None, 5), name="features")
    half = keras.Model(inputs, keras.layers.Dense(3, dtype="mixed_bfloat16")(inputs))
    with pytest.raises(ExportError, match=r"computes in float32: .*Received: mixed_bfloat16"):
        export(half, tmp_path / "m", format="savedmodel", frames=4)
    with monkeypatch.context() as patched:
        patched.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(
            ExportError, match=r"onnx needs tf2onnx, onnx, onnxruntime: pip install"
        ):
            export(head, tmp_path / "m", format="onnx", frames=4)
    (tmp_path / "m.keras").write_bytes(b"kept")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        export(head, tmp_path / "m")
    assert (tmp_path / "m.keras").read_bytes() == b"kept"
    export(head, tmp_path / "m", overwrite=True)
    assert zoo.load(tmp_path / "m.keras").count_params() == head.count_params()


@keras.saving.register_keras_serializable(package="test")
class Unsupported(keras.layers.Layer):
    """An operation that LiteRT does not support."""

    def call(self, inputs):
        return keras.ops.erfinv(inputs)


def test_an_unsupported_operation_is_named(tmp_path):
    inputs = keras.Input((3, 4), name="features")
    model = keras.Model(inputs, Unsupported()(inputs))
    needs("litert")
    with pytest.raises(ExportError, match=r"cannot be written as litert\..*Erfinv"):
        export(model, tmp_path / "m", format="litert")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("layer", [keras.layers.MaxPooling3D, keras.layers.AveragePooling3D])
def test_poolings_in_two_dimensions(layer, padding):
    size = (1, 2, 3) if layer is keras.layers.AveragePooling3D else (3, 2, 3)
    inputs = keras.Input((7, 6, 5, 2))
    pool = layer(size, (1, 2, 2) if size[0] == 1 else (2, 2, 1), padding=padding)
    model = keras.Model(inputs, pool(inputs))
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 5, 2)).astype("float32")
    expected = model(x)
    with plain_operations(model):
        assert "call" in vars(pool)
        np.testing.assert_allclose(model(x), expected, atol=1e-6)
    assert "call" not in vars(pool)


def test_unrolled_scans():
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")

    def step(carry, now):
        return carry * 0.5 + now, carry

    for reverse in (False, True):
        expected = keras.ops.scan(step, x[0], x, reverse=reverse)
        with unrolled_scans():
            found = keras.ops.scan(step, x[0], x, reverse=reverse)
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_command(tmp_path, head, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head.save("best.keras")
    assert main(["export", "best.keras", "--format", "savedmodel", "--frames", "4"]) == 0
    said = capsys.readouterr().out
    assert "input features: any, 4, 5" in said
    assert "savedmodel: best" in said
    assert (tmp_path / "best" / "saved_model.pb").exists()
    assert main(["export", "none.keras"]) == 2


@pytest.mark.slow
def test_the_general_model_needs_a_frame_size(tmp_path, capsys, monkeypatch):
    model = zoo.load("general", verbose=False)
    told = export(model, tmp_path / "a", format="savedmodel", frames=5, size=(64, 96))
    assert told.inputs["rgb"] == (None, 5, 64, 96, 3)
    assert told.differences["log_density"] < 1e-4
    with pytest.raises(ExportError, match=r"any size needs a fixed one: set `size`"):
        export(model, tmp_path / "b", format="savedmodel", frames=5)
    monkeypatch.chdir(tmp_path)
    assert main(["export", "general", "--format", "savedmodel"]) == 2
    assert "set --size HEIGHT WIDTH" in capsys.readouterr().err
    with pytest.raises(ExportError, match=r"frame size is \(32, 32\), so `size` must be left out"):
        fixed = zoo.rmdn(dense=True, image_size=32, width=0.05)
        export(fixed, tmp_path / "c", format="savedmodel", size=(64, 96))
    assert os.listdir(tmp_path) == ["a"]
