"""`zoo.metrics.resize` against Pillow, an integral and Matlab's documented kernel."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import metrics

Image = pytest.importorskip("PIL.Image", reason="Pillow, which is compared with, is not installed")


def pillow(array, height, width):
    image = Image.fromarray(array.astype("float32"), mode="F")
    return np.asarray(image.resize((width, height), Image.BICUBIC))


@pytest.mark.parametrize(
    ("before", "factors"), [((12, 20), (2, 3)), ((48, 60), (1 / 4, 1 / 3)), ((24, 24), (1 / 2, 2))]
)
def test_edges_equal_pillow_on_the_mirrored_map(before, factors):
    array = np.random.default_rng(0).uniform(0, 1, before)
    after = [round(side * factor) for side, factor in zip(before, factors)]
    # Pillow ignores what lies beyond the edges; a map surrounded by its mirror images has no edges.
    pads = [(side, side) for side in before]
    whole = pillow(np.pad(array, pads, mode="symmetric"), *(3 * side for side in after))
    wanted = whole[after[0] : 2 * after[0], after[1] : 2 * after[1]]
    found = np.asarray(metrics.resize(array, *after))
    np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_odd_factors_inside_the_edges():
    array = np.random.default_rng(1).uniform(0, 1, (90, 160))
    found = np.asarray(metrics.resize(np.stack([array, array]), 37, 71))
    np.testing.assert_allclose(found[1, 6:-6, 6:-6], pillow(array, 37, 71)[6:-6, 6:-6], atol=2e-6)


def test_closed_forms():
    assert np.asarray(metrics.resize(np.full((3, 5), 0.25), 7, 2)) == pytest.approx(0.25, abs=1e-6)
    ramp = np.tile(np.arange(40.0), (4, 1))
    found = np.asarray(metrics.resize(ramp, 4, 80))[0]
    np.testing.assert_allclose(found[8:-8], (np.arange(80) + 0.5)[8:-8] / 2 - 0.5, atol=1e-5)
    # One row of Matlab's imresize([0 0 1 0 0], 2): the kernel at quarters, a = -0.5.
    wanted = [0, 0, -0.0234375, -0.0703125, 0.2265625, 0.8671875]
    point = np.asarray(metrics.resize(np.eye(5)[2:3], 1, 10))[0]
    np.testing.assert_allclose(point[:5], np.array(wanted)[[1, 2, 3, 4, 5]], atol=1e-6)
    np.testing.assert_allclose(point, point[::-1], atol=1e-6)
    assert point.min() < 0  # nothing is cropped
    np.testing.assert_array_equal(metrics.resize(ramp, 4, 40), ramp)


def test_dtypes_shapes_and_errors():
    maps = np.ones((2, 3, 4, 6), "uint8")
    found = metrics.resize(maps, 2, 3)
    assert tuple(found.shape) == (2, 3, 2, 3)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    for shape, size in (((4,), (2, 2)), ((4, 4), (0, 2)), ((0, 4), (2, 2))):
        with pytest.raises(ValueError, match="at least 1"):
            metrics.resize(np.ones(shape), *size)
