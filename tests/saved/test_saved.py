"""Models that an earlier release saved still load and give the same outputs."""

from pathlib import Path

import numpy as np
import pytest

import zoo

FILES = sorted(Path(__file__).parent.glob("*/*.keras"))


def test_there_are_saved_models():
    assert len(FILES) >= 11


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_saved_model_gives_the_outputs_it_was_saved_with(path):
    model = zoo.load(path)
    with np.load(path.with_suffix(".npz")) as file:
        arrays = {name: file[name] for name in file.files}
    inputs = {name[3:]: value for name, value in arrays.items() if name.startswith("in_")}
    wanted = {name[4:]: value for name, value in arrays.items() if name.startswith("out_")}
    outputs = model.predict_on_batch(inputs)
    assert set(outputs) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
