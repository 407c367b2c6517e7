import numpy as np
import pytest
from keras import ops

from zoo.layers import TemporalSoftAttention, log_concavity

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(2, 5, 3, 3, 4)).astype("float32")
QUERIES = 3 * RNG.normal(size=(2, 2, 3, 3, 6)).astype("float32")


def weights_of(layer, query, mask=None):
    return ops.convert_to_numpy(layer(VALUES, query, mask)[1])


@pytest.mark.parametrize("score", ["additive", "sum", "dot"])
def test_weights_sum_to_one_and_weigh_the_values(score):
    layer = TemporalSoftAttention(7, score=score)
    context, weights = layer(VALUES, QUERIES[0])
    weights = ops.convert_to_numpy(weights)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    expected = np.einsum("bt,bthwc->bhwc", weights, VALUES)
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected, rtol=1e-4, atol=1e-5)
    averaged = TemporalSoftAttention(7, score=score, average=True)
    averaged.build(VALUES.shape, QUERIES[0].shape)
    averaged.set_weights(layer.get_weights())
    found = ops.convert_to_numpy(averaged(VALUES, QUERIES[0])[0])
    np.testing.assert_allclose(found, expected / 5, rtol=1e-4, atol=1e-5)


def test_the_printed_sum_cancels_the_query_and_the_default_does_not():
    printed = TemporalSoftAttention(7, score="sum")
    np.testing.assert_allclose(
        weights_of(printed, QUERIES[0]), weights_of(printed, QUERIES[1]), atol=1e-6
    )
    for score in ("additive", "dot"):
        layer = TemporalSoftAttention(7, score=score)
        difference = weights_of(layer, QUERIES[0]) - weights_of(layer, QUERIES[1])
        assert np.abs(difference).max() > 1e-3


@pytest.mark.parametrize("score", ["additive", "sum", "dot"])
def test_padded_frames_get_no_weight_and_a_video_without_frames_gets_zeros(score):
    layer = TemporalSoftAttention(7, score=score, average=True)
    mask = np.array([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    context, weights = layer(VALUES, QUERIES[0], mask)
    context, weights = ops.convert_to_numpy(context), ops.convert_to_numpy(weights)
    assert not weights[0, 3:].any() and not weights[1].any() and not context[1].any()
    short, short_weights = layer(VALUES[:1, :3], QUERIES[0, :1])
    np.testing.assert_allclose(weights[:1, :3], ops.convert_to_numpy(short_weights), atol=1e-5)
    np.testing.assert_allclose(context[:1], ops.convert_to_numpy(short), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("score", ["additive", "sum", "dot"])
def test_without_a_query(score):
    layer = TemporalSoftAttention(7, score=score)
    weights = ops.convert_to_numpy(layer(VALUES)[1])
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert weights.std() > 0


def test_additive_score_against_numpy():
    layer = TemporalSoftAttention(7)
    found = weights_of(layer, QUERIES[0])
    named = {w.path.split("/", 1)[-1]: ops.convert_to_numpy(w) for w in layer.weights}
    keys = VALUES.mean((2, 3)) @ named["key/kernel"]
    query = QUERIES[0].mean((1, 2)) @ named["query/kernel"] + named["query/bias"]
    energies = (np.tanh(keys + query[:, None]) @ named["energy/kernel"])[..., 0]
    expected = np.exp(energies) / np.exp(energies).sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_unimodality_is_a_sum_over_a_sample_and_a_mean_over_the_batch():
    layer = TemporalSoftAttention(7, unimodality=2.0)
    weights = layer(VALUES, QUERIES[0])[1]
    expected = 2.0 * float(ops.sum(log_concavity(weights))) / len(VALUES)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


def test_parameters_and_errors():
    layer = TemporalSoftAttention(7)
    layer.build((None, 5, 4), (None, 6))
    assert layer.count_params() == 4 * 7 + (6 * 7 + 7) + 7
    with pytest.raises(ValueError, match="`score` must be one of"):
        TemporalSoftAttention(7, score="cosine")
    with pytest.raises(ValueError, match="`units` must be"):
        TemporalSoftAttention(0)
