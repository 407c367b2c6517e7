from __future__ import annotations

import os
import pickle
import zipfile

import numpy as np
import pytest

from tests.weights.files import LEGACY_MAGIC, as_view, write_torch_legacy, write_torch_zip
from zoo.weights import WeightsError, read_weights

WRITERS = (write_torch_zip, write_torch_legacy)


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "conv.weight": random.normal(size=(4, 3, 2, 3, 3)).astype("float32"),
        "half": random.normal(size=(5,)).astype("float16"),
        "double": random.normal(size=(2, 2)),
        "bn.num_batches_tracked": np.asarray(12, "int64"),
        "empty": np.zeros((0, 3), "float32"),
    }


def test_zip_and_legacy_read_equal(tmp_path, arrays):
    first = read_weights(write_torch_zip(tmp_path / "a.pth", arrays))
    second = read_weights(write_torch_legacy(tmp_path / "b.pth", arrays))
    assert (first.format, second.format) == ("torch-zip", "torch-legacy")
    assert set(first.tensors) == set(second.tensors) == set(arrays)
    for name, array in arrays.items():
        for tensors in (first.tensors, second.tensors):
            assert tensors[name].dtype == array.dtype
            np.testing.assert_array_equal(tensors[name], array)


@pytest.mark.parametrize("write", WRITERS)
def test_strides_offsets_and_shared_storages(tmp_path, write):
    storage = np.arange(24, dtype="float32")
    views = {
        "plain": (storage, 0, (4, 6), (6, 1)),
        "transposed": (storage, 0, (6, 4), (1, 6)),
        "part": (storage, 7, (2, 3), (6, 2)),
        "expanded": (storage, 5, (3, 2), (0, 1)),
    }
    tensors = read_weights(write(tmp_path / "w.pth", views)).tensors
    square = storage.reshape(4, 6)
    np.testing.assert_array_equal(tensors["plain"], square)
    np.testing.assert_array_equal(tensors["transposed"], square.T)
    np.testing.assert_array_equal(tensors["part"], square[1:3, 1::2])
    np.testing.assert_array_equal(tensors["expanded"], [[5, 6]] * 3)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("nested", ["state_dict", "model", "anything"])
def test_a_nested_checkpoint(tmp_path, arrays, write, nested):
    tensors = read_weights(write(tmp_path / "w.pth", arrays, nested=nested)).tensors
    np.testing.assert_array_equal(tensors["conv.weight"], arrays["conv.weight"])


def test_bfloat16_widens_exactly(tmp_path):
    values = np.asarray([1.0, -2.5, 3.140625], "float32")
    bits = (values.view("uint32") >> 16).astype("uint16")
    tensors = read_weights(write_torch_zip(tmp_path / "w.pth", {"x": as_view(bits)})).tensors
    assert tensors["x"].dtype == np.float32
    np.testing.assert_array_equal(tensors["x"], values)


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_malicious_pickle_is_refused_before_anything_runs(tmp_path, protocol):
    victim = tmp_path / "ran"
    content = pickle.dumps({"weight": _Malicious(victim)}, protocol)
    path = tmp_path / "zip.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
    header = pickle.dumps(LEGACY_MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    (tmp_path / "legacy.pth").write_bytes(header + content)
    (tmp_path / "first.pth").write_bytes(content)
    for name in ("zip.pth", "legacy.pth", "first.pth"):
        with pytest.raises(WeightsError, match=r"would run code.*mkdir"):
            read_weights(tmp_path / name)
    assert not victim.exists()
    pickle.loads(content)  # without the checks, the same bytes do run
    assert victim.exists()


@pytest.mark.parametrize(
    "name",
    ["builtins\neval", "builtins\ngetattr", "torch\nload", "torch.storage\n_load_from_bytes"],
)
def test_names_beyond_the_list_are_refused(tmp_path, name):
    path = tmp_path / "w.pth"
    path.write_bytes(f"\x80\x02c{name}\n.".encode("latin1"))
    with pytest.raises(WeightsError, match="may name only tensors"):
        read_weights(path)


def test_a_file_cannot_modify_the_stand_ins(tmp_path, arrays):
    # BUILD sets attributes on whatever is on the stack: here on the class behind OrderedDict.
    state = b"N}X\x05\x00\x00\x00itemsK\x01s\x86b."
    path = tmp_path / "w.pth"
    path.write_bytes(b"\x80\x02ccollections\nOrderedDict\n" + state)
    with pytest.raises(WeightsError):
        read_weights(path)
    good = read_weights(write_torch_zip(tmp_path / "good.pth", arrays)).tensors
    assert set(good) == set(arrays)


def test_a_whole_model_is_refused_with_advice(tmp_path):
    path = tmp_path / "w.pth"
    content = pickle.dumps(LEGACY_MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    path.write_bytes(content + b"\x80\x02ctorch.nn.modules.conv\nConv2d\n)\x81.")
    with pytest.raises(WeightsError, match="state_dict"):
        read_weights(path)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.97])
def test_a_truncated_file_is_named_as_such(tmp_path, write, keep):
    path = write(tmp_path / "w.pth", {"x": np.ones((50, 50), "float32")})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(WeightsError, match=r"ends too early.*w\.pth"):
        read_weights(path)


def test_a_tensor_beyond_its_storage(tmp_path):
    storage = np.zeros(4, "float32")
    path = write_torch_zip(tmp_path / "w.pth", {"x": (storage, 2, (3,), (1,))})
    with pytest.raises(WeightsError, match="inside its storage"):
        read_weights(path)


def test_a_pickle_that_is_not_of_pytorch(tmp_path):
    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"a": [1, 2, 3]}, 2))
    with pytest.raises(WeightsError, match="one that PyTorch saved"):
        read_weights(path)
