from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from tests.weights.files import npz_bytes, write_caffe, write_keras_2, write_safetensors
from zoo.weights import WeightsError, read_weights


@pytest.fixture
def arrays():
    random = np.random.default_rng(1)
    return {
        "a/b.weight": random.normal(size=(2, 3)).astype("float32"),
        "c": random.normal(size=(4,)).astype("float16"),
        "d": np.asarray([7], "int64"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must not be empty"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "web page"),
        (b"<html><head><title>Quota exceeded</title>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
        (b"hello, world" * 9, "must be one of"),
    ],
)
def test_files_with_a_wrong_suffix(tmp_path, content, message):
    path = tmp_path / "rgb_imagenet.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_weights(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="must exist"):
        read_weights(tmp_path / "none.pth")


def test_safetensors(tmp_path, arrays):
    path = write_safetensors(tmp_path / "w.safetensors", arrays)
    tensors = read_weights(path).tensors
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors[name], array)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(WeightsError, match="complete"):
        read_weights(path)


def test_safetensors_against_its_library(tmp_path, arrays):
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    path = tmp_path / "w.safetensors"
    library.save_file(arrays, path)
    tensors = read_weights(path).tensors
    assert set(tensors) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(tensors[name], array)


def test_npz(tmp_path, arrays):
    path = tmp_path / "w.npz"
    path.write_bytes(npz_bytes(arrays))
    tensors = read_weights(path).tensors
    np.testing.assert_array_equal(tensors["a/b.weight"], arrays["a/b.weight"])
    path.write_bytes(npz_bytes({"object": np.asarray([{}], object)}))
    with pytest.raises(WeightsError, match="plain arrays"):
        read_weights(path)


@pytest.mark.parametrize("form", ["c3d", "v1", "v0", "new"])
def test_caffe(tmp_path, form):
    random = np.random.default_rng(2)
    shape = (4, 3, 1, 2, 3) if form in ("c3d", "new") else (4, 3, 2, 3)
    layers = {"conv1/7x7": [random.normal(size=shape), random.normal(size=(4,))]}
    layers["fc6-1"] = [random.normal(size=(5, 6)), random.normal(size=(5,))]
    path = write_caffe(tmp_path / "net", layers, form)
    file = read_weights(path)
    assert file.format == "caffe"
    for name, blobs in layers.items():
        for index, blob in enumerate(blobs):
            found = file.tensors[f"{name}/{index}"]
            np.testing.assert_array_equal(found.reshape(blob.shape), blob.astype("float32"))
    expected = {"c3d": (1, 1, 1, 5, 6), "new": (5, 6)}.get(form, (1, 1, 5, 6))
    assert file.tensors["fc6-1/0"].shape == expected
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WeightsError, match="too early"):
        read_weights(path)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("keras_1", [False, True])
def test_keras_1_and_2(tmp_path, whole, keras_1):
    kernel, bias = np.ones((2, 3), "float32"), np.zeros(3, "float32")
    layers = {"conv1": {"kernel": kernel, "bias": bias}, "pool": {}}
    path = write_keras_2(tmp_path / "w.h5", layers, whole=whole, keras_1=keras_1)
    file = read_weights(path)
    assert file.format == "keras2"
    assert set(file.tensors) == {"conv1/kernel", "conv1/bias"}
    np.testing.assert_array_equal(file.tensors["conv1/kernel"], kernel)


def test_lists_of_names_in_parts(tmp_path):
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"a"], [b"b"]
        for name in "ab":
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            group.create_dataset(f"{name}/kernel:0", data=np.zeros(2))
    assert set(read_weights(path).tensors) == {"a/kernel", "b/kernel"}


def test_keras_3(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    for name in ("m.keras", "m.weights.h5"):
        file = read_weights(tmp_path / name)
        assert file.format == "keras3"
        assert sorted(array.shape for array in file.tensors.values()) == [(2,), (3, 2)]
    content = (tmp_path / "m.weights.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="damaged or truncated"):
        read_weights(tmp_path / "cut.h5")


def test_hdf5_of_another_program(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("data", data=np.zeros(3))
    with pytest.raises(WeightsError, match="one that Keras wrote"):
        read_weights(tmp_path / "w.h5")


def test_tensorflow_checkpoint(tmp_path):
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable("RGB/x/w", initializer=np.ones((2, 3), "float32"))
        session.run(variable.initializer)
        for version, name in ((1, "old.ckpt"), (2, "new.ckpt")):
            saver = tf.compat.v1.train.Saver(write_version=version)
            saver.save(session, str(tmp_path / name), write_meta_graph=False)
    for name in ("old.ckpt", "new.ckpt", "new.ckpt.index", "new.ckpt.data-00000-of-00001"):
        file = read_weights(tmp_path / name)
        assert file.format == "tensorflow"
        np.testing.assert_array_equal(file.tensors["RGB/x/w"], np.ones((2, 3)))
    (tmp_path / "new.ckpt.data-00000-of-00001").unlink()
    with pytest.raises(WeightsError, match=r"\.data files"):
        read_weights(tmp_path / "new.ckpt")
