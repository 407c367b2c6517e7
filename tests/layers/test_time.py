import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import (
    ClipScaling,
    InputNormalization,
    MergePhases,
    NeighbourMax,
    PadTime,
    PerStep,
    SameTimePadding,
    SlidingClips,
    SplitPhases,
)


def test_sliding_clips():
    x = np.arange(2 * 7 * 3).reshape(2, 7, 3).astype("float32")
    got = ops.convert_to_numpy(SlidingClips(4)(x))
    assert got.shape == (2, 4, 4, 3)
    for i in range(4):
        np.testing.assert_array_equal(got[:, i], x[:, i : i + 4])
    strided = ops.convert_to_numpy(SlidingClips(4, stride=2)(x))
    np.testing.assert_array_equal(strided, got[:, ::2])


def test_sliding_clips_of_a_short_input():
    with pytest.raises(ValueError, match="at least `clip_length`=16"):
        SlidingClips(16)(np.zeros((1, 15, 4), "float32"))


def test_phases_round_trip():
    x = np.arange(2 * 16 * 3).reshape(2, 16, 3).astype("float32")
    y = SplitPhases(2)(x)
    np.testing.assert_array_equal(ops.convert_to_numpy(y)[0], x[0, ::2])
    np.testing.assert_array_equal(ops.convert_to_numpy(y)[1], x[0, 1::2])
    y = SplitPhases(2)(SplitPhases(2)(y))
    np.testing.assert_array_equal(ops.convert_to_numpy(MergePhases(8)(y)), x)


def test_pad_time():
    x = np.ones((1, 5, 2), "float32")
    got = ops.convert_to_numpy(PadTime(4)(x))
    assert got.shape == (1, 8, 2)
    assert got[:, :5].all() and not got[:, 5:].any()


def test_neighbour_max():
    x = np.array([[[1.0], [3.0], [2.0]]], "float32")
    assert ops.convert_to_numpy(NeighbourMax()(x)).ravel().tolist() == [3, 3, 2]
    assert ops.convert_to_numpy(NeighbourMax(causal=True)(x)).ravel().tolist() == [1, 3, 3]


def test_per_step_equals_a_loop():
    layer = keras.layers.Dense(3)
    x = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")
    got = ops.convert_to_numpy(PerStep(layer)(x))
    expected = np.stack([ops.convert_to_numpy(layer(x[:, t])) for t in range(4)], 1)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_clip_scaling_by_hand():
    x = np.array([[[-30.0, 5.0], [0.0, 25.0]]], "float32")
    got = ops.convert_to_numpy(ClipScaling(-20.0, 20.0)(x))
    np.testing.assert_allclose(got, [[[-1, 0.25], [0, 1]]])
    got = ops.convert_to_numpy(ClipScaling(-20.0, 20.0, reverse_channels=True)(x))
    np.testing.assert_allclose(got, [[[0.25, -1], [1, 0]]])
    clips = np.array([[[-30.0], [0.0], [-5.0]], [[0.0], [4.0], [1.0]]], "float32")
    got = ops.convert_to_numpy(ClipScaling(-10.0, 20.0, mode="min_max")(clips))
    np.testing.assert_allclose(got, [[[-1], [1], [0]], [[-1], [1], [-0.5]]])  # each separately


def test_same_time_padding_is_zero_and_in_time_only():
    x = np.ones((2, 5, 3), "float32")
    got = ops.convert_to_numpy(SameTimePadding(7, 2)(x))  # 3 windows of 7: 11 steps
    assert got.shape == (2, 11, 3)
    assert got[:, 3:8].all() and not got[:, :3].any() and not got[:, 8:].any()


def test_input_normalization_of_integers_under_float16():
    x = np.array([[[10, 20, 251]]], "uint8")
    layer = InputNormalization(
        mean=(1.0, 2.0, 3.0), scale=2.0, channel_order="bgr", dtype="mixed_float16"
    )
    got = layer(x)
    assert keras.backend.standardize_dtype(got.dtype) == "float16"
    np.testing.assert_allclose(ops.convert_to_numpy(got)[0, 0], [125.0, 9.0, 3.5])
