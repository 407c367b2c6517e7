from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from zoo.training.stills.half_precision import save_half_precision
from zoo.weights import read_provenance


def model() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])


def test_weights_are_stored_in_half_precision_and_load_into_the_model(tmp_path):
    path = tmp_path / "small.weights.h5"
    made, again = model(), model()
    save_half_precision(made, path, {"note": "made here"})
    assert [file.name for file in tmp_path.iterdir()] == ["small.weights.h5"]
    kinds = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: kinds.append(getattr(item, "dtype", None)))
    assert kinds.count(np.float16) == 2 and np.float32 not in kinds
    again.load_weights(path)
    for one, other in zip(made.get_weights(), again.get_weights(), strict=True):
        assert other.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=1e-3)
    assert read_provenance(path)["note"] == "made here"


def test_weights_beyond_the_range_leave_the_old_file(tmp_path):
    path = tmp_path / "small.weights.h5"
    made = model()
    save_half_precision(made, path, {})
    before = path.read_bytes()
    made.layers[-1].set_weights([np.full((3, 2), 1e5), np.zeros(2)])
    with pytest.raises(ValueError, match=r"range of float16.*values up to 100000"):
        save_half_precision(made, path, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["small.weights.h5"]
