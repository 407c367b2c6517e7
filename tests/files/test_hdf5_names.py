"""Names in the attributes of large HDF5 files, as Keras 1 and 2 write them."""

import h5py
import numpy as np
import pytest

from zoo.files.errors import FileFormatError
from zoo.files.hdf5 import open_hdf5


def write(path, names, size):
    with h5py.File(path, "w") as file:
        file.attrs.create("layer_names", names, dtype=h5py.string_dtype())
        file.create_dataset("kernel", data=np.zeros(size, "uint8"))


def test_many_short_names_in_a_large_file(tmp_path):
    names = [f"conv{number}_block1_1_bn" for number in range(107)]
    write(tmp_path / "w.h5", names, 50 << 20)  # 107 times the file's length is 5 GiB
    with open_hdf5(tmp_path / "w.h5") as held:
        assert held.text_list(held.file, "layer_names") == names


def test_too_many_long_names_are_rejected(tmp_path):
    write(tmp_path / "w.h5", ["a" * (2 << 20)] + ["b"] * 3999, 1)
    with pytest.raises(FileFormatError, match="4000 names"), open_hdf5(tmp_path / "w.h5") as held:
        held.text_list(held.file, "layer_names")
