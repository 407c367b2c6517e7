"""Files with false sizes or links are rejected before memory is allocated."""

from __future__ import annotations

import io
import json
import pickle
import resource
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import scipy.io

import zoo
from tests.weights.files import as_view, write_torch_zip
from zoo.datasets.shards.crc32c import crc32c
from zoo.files.errors import FileFormatError
from zoo.files.mat import load_mat
from zoo.files.npz import read_npz
from zoo.files.safe_pickle import read_pickle
from zoo.weights import WeightsError, read_weights

SIDE = 60_000  # 60000 x 60000 float32 are 14 GB


@pytest.fixture(autouse=True)
def little_memory():
    """No test here may allocate the memory that a forged file asks for."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < 400_000, f"{taken} KiB"


def keras_h5(path: Path, make) -> Path:
    """A Keras 2 file of one layer `a` with the weight `kernel:0`, made by `make(group)`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"a"]
        group = file.create_group("a")
        group.attrs["weight_names"] = [b"kernel:0"]
        make(group)
    return path


def huge(group):
    group.create_dataset("kernel:0", (SIDE, SIDE), "f4")


def huge_chunks(group):
    group.create_dataset("kernel:0", (SIDE, SIDE), "f4", chunks=(100, 100), compression="gzip")


def elsewhere(folder: Path) -> Path:
    with h5py.File(folder / "secret.h5", "w") as file:
        file["kernel:0"] = np.ones(3, "f4")
    return folder / "secret.h5"


@pytest.mark.parametrize("make", [huge, huge_chunks])
def test_a_huge_data_set_of_a_small_hdf5(tmp_path, make):
    path = keras_h5(tmp_path / "w.h5", make)
    with pytest.raises(WeightsError, match="a/kernel:0"):
        read_weights(path)


def test_links_and_data_of_other_files(tmp_path):
    other = elsewhere(tmp_path)
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"secret key" * 10)

    def external_link(group):
        group["kernel:0"] = h5py.ExternalLink(str(other), "/kernel:0")

    def soft_link(group):
        group["x"] = np.ones(3)
        group["kernel:0"] = h5py.SoftLink("/a/x")

    def external_data(group):
        group.create_dataset("kernel:0", (10,), "u1", external=[(str(raw), 0, 10)])

    def virtual(group):
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource(str(other), "kernel:0", (3,))
        group.create_virtual_dataset("kernel:0", layout)

    for make in (external_link, soft_link, external_data, virtual):
        path = keras_h5(tmp_path / "w.h5", make)
        with pytest.raises(WeightsError, match=r"its data itself.*kernel:0"):
            read_weights(path)


def test_links_in_a_keras_3_file_and_in_a_mat_file(tmp_path):
    other = elsewhere(tmp_path)
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        file.create_group("layers")["dense"] = h5py.ExternalLink(str(other), "/")
    with pytest.raises(WeightsError, match="its data itself"):
        read_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "m.mat", "w") as file:
        file["I"] = h5py.ExternalLink(str(other), "/kernel:0")
    with pytest.raises(FileFormatError, match=r"its data itself.*I"):
        load_mat(tmp_path / "m.mat")
    with h5py.File(tmp_path / "m.mat", "w") as file:
        file.create_dataset("I", (SIDE, SIDE), "f8", chunks=True, compression="gzip")
    with pytest.raises(FileFormatError, match="'I'"):
        load_mat(tmp_path / "m.mat")


def test_groups_that_multiply_by_links(tmp_path):
    with h5py.File(tmp_path / "m.mat", "w") as file:
        group = file.create_group("a")
        for level in range(40):  # 2 ** 40 paths to one value
            below = group.create_group("x") if level < 39 else group
            group["y"] = below
            group = below
    with pytest.raises(FileFormatError, match="two places"):
        load_mat(tmp_path / "m.mat")
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        file.create_group("layers")["loop"] = file["/"]
    with pytest.raises(WeightsError, match="two places"):
        read_weights(tmp_path / "w.weights.h5")


def forged_npy(shape, dtype: str = "<f4", data: bytes = b"") -> bytes:
    out = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue() + data


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (2**40, 2**40), (3,), (-1, 4)])
def test_a_false_npz_header(tmp_path, shape):
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("conv/kernel.npy", forged_npy(shape, data=b"1234"))
    with pytest.raises(WeightsError, match="conv/kernel"):
        read_weights(tmp_path / "w.npz")


def test_an_npz_that_unpacks_to_gigabytes(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", forged_npy((2**26,), "u1") + bytes(2**26))
    content = (tmp_path / "w.npz").read_bytes()
    assert read_npz(content)["a"].shape == (2**26,)  # as large as stated: it is read
    # The same data with a declared length that no compression can reach.
    at = content.rindex(b"PK\x01\x02")
    forged = bytearray(content)
    forged[at + 24 : at + 28] = struct.pack("<I", 4_000_000_000)
    with pytest.raises(FileFormatError, match="4 GiB"):
        read_npz(bytes(forged))


def test_npz_keeps_memory_orders_and_types():
    random = np.random.default_rng(0)
    arrays = {
        "fortran": np.asfortranarray(random.normal(size=(3, 4))),
        "text": np.asarray(["a", "bc"]),
        "scalar": np.float32(3),
        "empty": np.zeros((0, 3), "i2"),
    }
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    found = read_npz(out.getvalue())
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    found["fortran"][0, 0] = 1  # writable
    with pytest.raises(KeyError):
        read_npz(out.getvalue(), ["missing"])


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00P\xd6\xdc\x01\x85R.",  # bytearray(8e9)
        b"\x80\x02cbuiltins\nlist\ncbuiltins\nrange\nJ\xff\xff\xff\x7f\x85R\x85R.",
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # memoises object 2147483647
        b"\x80\x04\x8e\x00\x00\x00\x00\x02\x00\x00\x00x.",  # 8 GB of bytes
        b"\x80\x02}N" + b"\x85" * 300_000 + b"Ns.",  # a key 300,000 tuples deep
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x60\xea\x00\x00"
        b"J\x60\xea\x00\x00\x86U\x01b\x87R.",  # an array of 60000 x 60000
        b"\x80\x02cnumpy\ndtype\nU\x0bV2000000000\x85R.",
    ],
)
def test_a_small_pickle_that_asks_for_gigabytes(tmp_path, content):
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.pkl"):
        read_pickle(path)
    with pytest.raises(WeightsError):
        read_weights(path)


def test_a_pickle_of_arrays_reads_as_pickle_reads_it(tmp_path):
    random = np.random.default_rng(1)
    kept = {
        "a": random.normal(size=(3, 4)),
        "f": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        "objects": np.asarray([None, [1, 2], "text"], object),
        "scalar": np.float32(1.5),
        "names": np.asarray(["a", "bc"]),
        "plain": [1, (2.5, None), {3}, frozenset({4}), bytearray(b"x"), b"y", 2 + 1j, True],
    }
    for protocol in (0, 2, 3, 4, 5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(kept, protocol))
        if protocol == 5:  # arrays as buffers need a global that is not allowed
            with pytest.raises(FileFormatError):
                read_pickle(tmp_path / "a.pkl")
            continue
        found = read_pickle(tmp_path / "a.pkl")
        assert found["plain"] == kept["plain"]
        for name in ("a", "f", "objects", "scalar", "names"):
            np.testing.assert_array_equal(found[name], kept[name])
            wanted = pickle.loads((tmp_path / "a.pkl").read_bytes())[name]
            assert found[name].dtype == wanted.dtype


def test_a_tensor_of_stride_zero(tmp_path):
    views = {"conv.weight": (np.zeros(4, "f4"), 0, (SIDE, SIDE), (0, 0))}
    with pytest.raises(WeightsError, match=r"conv\.weight"):
        read_weights(write_torch_zip(tmp_path / "w.pth", views))
    # bfloat16 is widened: many views of one storage.
    views = dict.fromkeys((f"t{n}" for n in range(100)), as_view(np.zeros(1 << 20, "uint16")))
    with pytest.raises(WeightsError, match="'t"):
        read_weights(write_torch_zip(tmp_path / "w.pth", views))


def test_a_table_that_contains_itself(tmp_path):
    # {"model": <the same table>, "x": {"w": tensor}}: the path to the weights is infinite
    path = write_torch_zip(tmp_path / "w.pth", {"w": np.ones(3, "f4")}, nested="x")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    body = parts["archive/data.pkl"][2:-1]
    parts["archive/data.pkl"] = b"\x80\x02" + body + b"q\x01X\x05\x00\x00\x00modelh\x01s."
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(WeightsError, match="one table of tensors"):
        read_weights(path)


def safetensors(path: Path, header: object, body: bytes = b"") -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [SIDE, SIDE], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]},
        {"dtype": "F32", "shape": "a", "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]},
        [1, 2],
    ],
)
def test_a_false_safetensors_header(tmp_path, entry):
    path = safetensors(tmp_path / "w.safetensors", {"conv": entry}, b"1234")
    with pytest.raises(WeightsError, match="conv"):
        read_weights(path)


def test_safetensors_that_share_their_bytes(tmp_path):
    entry = {"dtype": "BF16", "shape": [1 << 20], "data_offsets": [0, 1 << 21]}
    header = {f"t{number}": entry for number in range(100)}
    path = safetensors(tmp_path / "w.safetensors", header, bytes(1 << 21))
    with pytest.raises(WeightsError, match="'t"):
        read_weights(path)


def test_a_keras_file_that_unpacks_to_gigabytes(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "bomb.keras"

    def write(weights: bytes, **changes: bytes) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in {**parts, "model.weights.h5": weights, **changes}.items():
                archive.writestr(name, content)

    write(parts["model.weights.h5"])
    assert zoo.load(path).output_shape == (None, 2)
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.create_dataset("layers/dense/vars/0", (SIDE, SIDE), "f4", chunks=True)
    write(out.getvalue())
    with pytest.raises(ValueError, match=r"layers/dense/vars/0"):
        zoo.load(path)
    with pytest.raises(WeightsError, match=r"layers/dense/vars/0"):
        read_weights(path)
    write(parts["model.weights.h5"], **{"config.json": b" " * (65 << 20)})
    with pytest.raises(ValueError, match=r"config\.json of 68157440 bytes"):
        zoo.load(path)
    altered = parts["config.json"].replace(b"Dense", b"Densf")
    write(parts["model.weights.h5"], **{"config.json": altered})
    with pytest.raises(ValueError, match="complete, unaltered") as caught:
        zoo.load(path)
    assert "\n" not in str(caught.value)


def matrix(kind: int, shape: tuple[int, ...], rest: bytes = b"") -> bytes:
    """An element of a MATLAB 5 file."""
    flags = struct.pack("<IIII", 6, 8, kind, 0)
    sides = struct.pack(f"<II{len(shape)}i", 5, 4 * len(shape), *shape)
    sides += bytes(-len(sides) % 8)
    name = struct.pack("<HH4s", 1, 1, b"a")
    body = flags + sides + name + rest
    return struct.pack("<II", 14, len(body)) + body


@pytest.mark.parametrize("kind", [1, 2, 4, 6, 7])  # cells, structs, text, doubles, floats
def test_a_mat_file_of_a_huge_array(tmp_path, kind):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for element in (matrix(kind, (SIDE, SIDE)), matrix(1, (1, 1), matrix(kind, (SIDE, SIDE)))):
        packed = zlib.compress(element)
        (tmp_path / "a.mat").write_bytes(head + element)
        (tmp_path / "b.mat").write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)
        for name in ("a.mat", "b.mat"):
            with pytest.raises(FileFormatError, match="contain what it declares"):
                load_mat(tmp_path / name)


def test_mat_files_as_scipy_reads_them(tmp_path):
    kept = {
        "maps": np.arange(12.0).reshape(3, 4),
        "cells": np.asarray([np.ones(2), "text", np.zeros((0, 3))], object),
        "held": {"inner": {"x": np.int16(3)}, "names": np.asarray(["a", "bc"], object)},
        "logical": np.asarray([True, False]),
    }
    for packed in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", kept, do_compression=packed)
        wanted = scipy.io.loadmat(tmp_path / "a.mat", simplify_cells=True)
        wanted = {name: value for name, value in wanted.items() if name[:2] != "__"}
        assert str(load_mat(tmp_path / "a.mat")) == str(wanted)


def test_a_caffemodel_whose_sizes_overflow(tmp_path):
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    side = b"\xff" * 8 + b"\x7f"  # 2 ** 63 - 1
    blob = b"\x08" + side + b"\x10" + side + field(5, b"12345678")
    layer = field(4, b"conv1") + field(6, blob)
    (tmp_path / "w.caffemodel").write_bytes(field(2, layer))
    with pytest.raises(WeightsError, match="fit its shape"):
        read_weights(tmp_path / "w.caffemodel")


def checkpoint(folder: Path) -> Path:
    """A TensorFlow checkpoint of version 2 with the tensors conv/b (4) and conv/w (2, 3, 4)."""
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.get_variable("conv/b", initializer=np.ones(4, "f4"))
        tf.compat.v1.get_variable("conv/w", initializer=np.ones((2, 3, 4), "f4"))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(folder / "m.ckpt"), write_meta_graph=False)
    return folder / "m.ckpt.index"


def resealed(index: bytes) -> bytes:
    """The index with a new checksum for its changed first block, that of the names."""
    end = len(index.split(b"\0\0\0\0\x01\0\0\0")[0]) + 8
    code = crc32c(index[: end + 1])
    code = ((code >> 15 | code << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return index[: end + 1] + struct.pack("<I", code) + index[end + 5 :]


# Found by changing random bytes of an index and correcting its checksum. TensorFlow
# aborts the process for the first three, and raises its own errors for the others.
@pytest.mark.parametrize(
    "before, after",
    [
        (b"\x12\x04\x12\x02\x08\x04(\x10", b"\0\0\0\0\0\0\0\0"),  # no entry at all
        (b"\x12\x04\x12\x02\x08\x04(\x10", b"\x12\x7f\x12\x02\x08\x04(\x10"),
        (b"\x08\x01\x12\x0c\x12\x02\x08\x02", b"\x08\x01\x12\x0c\x12\xff\xff\xff"),
        (b"\x08\x01\x12\x04", b"\x08\0\x12\x04"),  # type 0
        (b"\x08\x01\x12\x04", b"\x08\x7f\x12\x04"),  # type 127
        (b"conv/b", b"conv/\xff"),  # a name that is not text
        (b"\0\x06\x08\x01", b"\0\xff\xff\x01"),  # a header of 32767 bytes
    ],
)
def test_a_forged_index_of_a_tensorflow_checkpoint(tmp_path, before, after):
    path = checkpoint(tmp_path)
    index = path.read_bytes()
    assert index == resealed(index) and before in index
    assert read_weights(path).tensors["conv/w"].shape == (2, 3, 4)
    path.write_bytes(resealed(index.replace(before, after, 1)))
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert "m.ckpt" in str(caught.value) and "\n" not in str(caught.value)


def test_a_cut_checkpoint_of_tensorflow(tmp_path):
    path = checkpoint(tmp_path)
    values = next(tmp_path.glob("*.data-*"))
    values.write_bytes(values.read_bytes()[:20])
    with pytest.raises(WeightsError, match=r"conv/w.*of 20 bytes"):
        read_weights(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(WeightsError, match=r"m\.ckpt"):
        read_weights(path)
