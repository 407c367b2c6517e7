from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.weights.files import npz_bytes
from zoo.backbones import c3d
from zoo.backbones.convert import convert
from zoo.backbones.loading import ORIGINS
from zoo.cli.convert import convert as convert_command
from zoo.cli.messages import CommandError
from zoo.cli.weights import list_records
from zoo.weights import WeightsError, load_weights, pretrained, read_provenance
from zoo.weights.names.origin import recognise

SMALL = {"width": 0.0625, "image_size": 64, "endpoint": "conv5b"}


@pytest.fixture
def published(tmp_path):
    """A file with the ports' names, without a classifier."""
    origin = next(o for o in ORIGINS if o.name == "c3d_pytorch")
    model = c3d(**SMALL)
    tensors = {}
    for rule in origin.rules(model):
        layer, kind = rule.target.split("/")
        if layer.startswith("fc"):
            continue
        value = keras.ops.convert_to_numpy(getattr(model.get_layer(layer), kind))
        tensors[rule.source] = np.einsum("dhwio->oidhw", value) if kind == "kernel" else value
    path = tmp_path / "c3d.npz"
    path.write_bytes(npz_bytes(tensors))
    assert recognise(tensors, ORIGINS)[0].name == "c3d_pytorch"
    return path


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_conversion_keeps_numbers_and_provenance(tmp_path, published, ending):
    path, provenance = convert(published, to="c3d", output=tmp_path / f"o{ending}", **SMALL)
    assert read_provenance(path) == provenance
    assert provenance["source"] == "c3d.npz"
    assert len(provenance["sha256"]) == 64
    assert provenance["converter"].startswith("video-attention-zoo ")
    assert provenance["options"]["pool5_padding"] == "symmetric"
    expected, _ = pretrained(published, **SMALL)
    again, origin = pretrained(path)  # the file determines its graph
    assert origin["origin"] == "c3d_pytorch"
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 16, 64, 64, 3))
    numbers = expected.predict(pixels, verbose=0)
    np.testing.assert_array_equal(again.predict(pixels, verbose=0), numbers)
    if ending == ".keras":
        whole = keras.saving.load_model(path)
        np.testing.assert_array_equal(whole.predict(pixels, verbose=0), numbers)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_own_file_of_another_model(tmp_path, published):
    path, _ = convert(published, output=tmp_path / "o.weights.h5", **SMALL)
    with pytest.raises(WeightsError, match=r"other shape +conv1a/kernel"):
        load_weights(c3d(**{**SMALL, "width": 0.125}), path)
    with pytest.raises(WeightsError, match=r"not in such files +fc6/kernel"):
        load_weights(c3d(**{**SMALL, "endpoint": "fc6"}), path)


def test_a_file_that_keras_saved_from_another_model(tmp_path):
    path = tmp_path / "plain.weights.h5"
    c3d(**SMALL).save_weights(path)
    with (
        pytest.raises(WeightsError, match="same model"),
        pytest.warns(UserWarning, match="Skipping nested container"),
    ):
        load_weights(c3d(**{**SMALL, "width": 0.125}), path)
    with pytest.raises(WeightsError, match="saved from the same model"):
        load_weights(c3d(**{**SMALL, "endpoint": "fc6"}), path)


def test_the_output_must_be_of_keras(tmp_path, published):
    with pytest.raises(WeightsError, match=r"\.weights\.h5 or \.keras"):
        convert(published, output=tmp_path / "o.pth", **SMALL)


def test_commands(tmp_path, published, capsys):
    list_records()
    assert "c3d_sports1m_caffe" in capsys.readouterr().out
    list_records("resnet50_imagenet_keras")
    said = capsys.readouterr().out
    assert "md5:2cb95161c43110f7111970584f804107" in said
    assert "graph: version='v1'" in said
    with pytest.raises(CommandError, match="no such weight file"):
        list_records("nothing")
    page = tmp_path / "w.pth"
    page.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(WeightsError, match="web page"):
        convert_command(str(page))
