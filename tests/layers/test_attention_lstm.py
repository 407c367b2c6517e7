import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from zoo.layers import AttentionLSTM, LocationAttention, doubly_stochastic

FEATURES = np.random.default_rng(0).normal(size=(2, 4, 3, 2, 5)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("attention", ["location", "additive"])
def test_states_and_attention_against_float64_numpy(attention):
    layer = AttentionLSTM(6, num_layers=2, attention=attention, dropout=0.5)
    states, looked = layer(FEATURES, training=False)
    w = {v.path.split("/", 1)[1]: ops.convert_to_numpy(v).astype("float64") for v in layer.weights}
    x = FEATURES.astype("float64")
    mean = x.mean((1, 2, 3))
    h, c = (
        np.tanh(
            np.tanh(mean @ w[f"initial_{s}_mlp/kernel"] + w[f"initial_{s}_mlp/bias"])
            @ w[f"initial_{s}_out/kernel"]
            + w[f"initial_{s}_out/bias"]
        ).reshape(2, 2, 6)
        for s in ("hidden", "cell")
    )
    for t in range(4):
        places = x[:, t].reshape(2, 6, 5)
        if attention == "location":
            weights = softmax(h[:, 1] @ w["locate/location_kernel"])
        else:
            inner = places @ w["locate/feature_kernel"] + w["locate/bias"]
            inner = np.tanh(inner + (h[:, 1] @ w["locate/state_kernel"])[:, None])
            weights = softmax((inner @ w["locate/energy_kernel"])[..., 0])
        glimpse = np.einsum("bi,bic->bc", weights, places)
        for index in range(2):
            gates = glimpse @ w[f"kernel_{index}"] + h[:, index] @ w[f"recurrent_kernel_{index}"]
            i, f, g, o = np.split(gates + w[f"bias_{index}"], 4, axis=-1)
            c[:, index] = sigmoid(f) * c[:, index] + sigmoid(i) * np.tanh(g)
            h[:, index] = sigmoid(o) * np.tanh(c[:, index])
            glimpse = h[:, index]
        np.testing.assert_allclose(states[:, t], h[:, 1], atol=1e-5)
        np.testing.assert_allclose(looked[:, t], weights.reshape(2, 3, 2), atol=1e-5)


def test_parameter_counts_are_their_closed_forms():
    d, u, n = 5, 6, 3
    initial = 2 * ((d + 1) * u + (u + 1) * n * u)
    stack = 4 * u * (d + u + 1) + (n - 1) * 4 * u * (2 * u + 1)
    attentions = {"location": u * 6, "additive": d * u + u * u + 2 * u + 1, "average": 0, "max": 0}
    for attention, own in attentions.items():
        layer = AttentionLSTM(u, num_layers=n, attention=attention)
        layer.build((None, 4, 3, 2, d))
        trained = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
        assert trained == initial + stack + own


def test_padded_frames_are_ignored_by_state_and_attention():
    layer = AttentionLSTM(6, num_layers=2)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1]])
    states, looked = (ops.convert_to_numpy(x) for x in layer(FEATURES, mask=mask))
    short = ops.convert_to_numpy(layer(FEATURES[:1, :2])[0])
    np.testing.assert_allclose(states[0, :2], short[0], atol=1e-5)
    np.testing.assert_allclose(states[0, 3], states[0, 1], atol=1e-6)
    assert not looked[0, 2:].any()
    nothing = layer(FEATURES, mask=np.zeros((2, 4)))[0]
    assert np.isfinite(ops.convert_to_numpy(nothing)).all()


def test_penalty_is_a_sum_over_a_sample_and_a_mean_over_the_batch():
    layer = AttentionLSTM(6, num_layers=1, penalty=10.0)
    looked = layer(FEATURES)[1]
    expected = 10 * float(ops.sum(doubly_stochastic(looked))) / len(FEATURES)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


def test_dropout_only_in_training_and_different_at_each_step():
    layer = AttentionLSTM(6, num_layers=1, attention="average", dropout=0.5, seed=1)
    same = np.repeat(FEATURES[:, :1], 4, axis=1)
    calm = [ops.convert_to_numpy(layer(same, training=False)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    shaken = ops.convert_to_numpy(layer(same, training=True)[0])
    assert np.abs(shaken - calm[0]).max() > 1e-3


@pytest.mark.parametrize("attention", ["location", "additive", "max"])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_in_training_are_those_of_plain_differentiation(attention, dropout):
    layer = AttentionLSTM(6, num_layers=3, attention=attention, dropout=dropout, penalty=0.1)
    layer.build(FEATURES.shape)
    kept = layer._dropout_masks(FEATURES, training=True)
    layer._dropout_masks = lambda inputs, training: kept  # also without training
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]])
    numbers = np.random.default_rng(1).normal(size=(2, 4, 6)).astype("float32")
    inputs = tf.constant(FEATURES)
    found = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            states, looked = layer(inputs, mask=mask, training=training)
            loss = ops.sum(states * numbers) + ops.sum(looked**2) + sum(layer.losses)
        gradients = tape.gradient(loss, [inputs, *[w.value for w in layer.trainable_weights]])
        found.append([loss, states, looked, *gradients])
    for first, second in zip(*found):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="`attention` must be one of"):
        AttentionLSTM(4, attention="hard")
    with pytest.raises(ValueError, match="`num_layers` must be at least 1"):
        AttentionLSTM(4, num_layers=0)
    with pytest.raises(ValueError, match="batch, time, height, width, channels"):
        AttentionLSTM(4).build((None, 3, 5))
    with pytest.raises(ValueError, match="size must be known"):
        LocationAttention("location").build((None, None, None, 4), (None, 3))


def test_additive_attention_by_numpy():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    state = rng.normal(size=(2, 6)).astype("float32")
    layer = LocationAttention(mode="additive", units=7)
    layer(features, state)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    values = {w.name: ops.convert_to_numpy(w) for w in layer.weights}
    glimpse, weights = (ops.convert_to_numpy(x) for x in layer(features, state))
    places = features.reshape(2, 12, 5)
    hidden = places @ values["feature_kernel"] + (state @ values["state_kernel"])[:, None]
    energies = np.tanh(hidden + values["bias"]) @ values["energy_kernel"]
    energies = np.exp(energies[..., 0])
    expected = energies / energies.sum(1, keepdims=True)
    np.testing.assert_allclose(weights.reshape(2, 12), expected, rtol=1e-4)
    np.testing.assert_allclose(glimpse, (expected[..., None] * places).sum(1), rtol=1e-3, atol=1e-5)
