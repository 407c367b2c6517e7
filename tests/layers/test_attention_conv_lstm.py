import keras
import numpy as np
import pytest
from keras import ops

from zoo.layers import AttentionConvLSTM, log_concavity

FRAMES = np.random.default_rng(0).normal(size=(2, 4, 3, 5, 3)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(x, kernel):
    """A zero-padded convolution in float64: x (batch, h, w, in), kernel (3, 3, in, out)."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)
    )


def weights_of(layer):
    return {
        v.path.split("/", 1)[1]: ops.convert_to_numpy(v).astype("float64") for v in layer.weights
    }


def initial_state(w, state, mean):
    for index in range(2):
        name = f"initial_{state}"
        mean = convolve(mean, w[f"{name}_conv_{index}/kernel"]) + w[f"{name}_conv_{index}/bias"]
        bn = f"{name}_bn_{index}/"
        mean = (mean - w[bn + "moving_mean"]) / np.sqrt(w[bn + "moving_variance"] + 1e-3)
        mean = mean * w[bn + "gamma"] + w[bn + "beta"]
        if index == 0:
            mean = np.maximum(mean, 0)
    return mean


@pytest.mark.parametrize("average", [True, False])
def test_every_step_against_float64_numpy(average):
    layer = AttentionConvLSTM(2, steps=6, units=7, average=average)
    states, weights = layer(FRAMES)
    w = weights_of(layer)
    frames = FRAMES.astype("float64")
    h, c = (initial_state(w, state, frames.mean(1)) for state in ("hidden", "cell"))
    keys = frames.mean((2, 3)) @ w["attention/key/kernel"]
    for t in range(6):
        query = h.mean((1, 2)) @ w["attention/query/kernel"] + w["attention/query/bias"]
        energy = (np.tanh(keys + query[:, None]) @ w["attention/energy/kernel"])[..., 0]
        weight = np.exp(energy) / np.exp(energy).sum(1, keepdims=True)
        np.testing.assert_allclose(weights[:, t], weight, atol=1e-5)
        # the sum first, then the convolution, as the paper prints it
        y = np.einsum("bn,bnhwc->bhwc", weight, frames) / (4 if average else 1)
        gates = convolve(y, w["kernel"]) + convolve(h, w["recurrent_kernel"]) + w["bias"]
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(states[:, t], h, atol=1e-5)


def test_without_attention_it_equals_the_keras_layer():
    layer = AttentionConvLSTM(2, score=None)
    states = ops.convert_to_numpy(layer(FRAMES))
    w = weights_of(layer)
    stock = keras.layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True)
    stock.build(FRAMES.shape)
    stock.set_weights([w["kernel"], w["recurrent_kernel"], w["bias"]])
    mean = FRAMES.mean(1).astype("float64")
    start = [initial_state(w, state, mean).astype("float32") for state in ("hidden", "cell")]
    expected = stock(FRAMES, initial_state=[ops.convert_to_tensor(s) for s in start])
    np.testing.assert_allclose(states, ops.convert_to_numpy(expected), atol=1e-5)


def test_the_printed_score_gives_every_step_the_same_weights():
    printed = ops.convert_to_numpy(AttentionConvLSTM(2, steps=3, score="sum", units=7)(FRAMES)[1])
    np.testing.assert_allclose(printed[:, 0], printed[:, 2], atol=1e-6)
    assert printed[:, 0].std() > 1e-4
    ours = ops.convert_to_numpy(AttentionConvLSTM(2, steps=3, units=7)(10 * FRAMES)[1])
    assert np.abs(ours[:, 0] - ours[:, 2]).max() > 1e-4


def test_states_are_predicted_as_they_were_trained_after_some_dozen_steps():
    layer = AttentionConvLSTM(2, score=None)
    frames = (2.0 + 0.01 * np.random.default_rng(2).normal(size=(8, 4, 3, 5, 3))).astype("float32")
    for _ in range(60):
        trained = layer(frames, training=True)
    states = layer(frames, training=False)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (states, trained)), atol=0.02)


def test_padded_frames_count_for_nothing():
    layer = AttentionConvLSTM(2, steps=3, units=7)
    mask = np.array([[1, 1, 1, 0]] * 2)
    states, weights = layer(FRAMES, mask=mask)
    expected, short = layer(FRAMES[:, :3])
    np.testing.assert_allclose(states, expected, atol=1e-5)
    np.testing.assert_allclose(weights[:, :, :3], short, atol=1e-5)
    none, weights = layer(FRAMES, mask=np.zeros((2, 4)))
    assert np.isfinite(ops.convert_to_numpy(none)).all()
    assert not ops.convert_to_numpy(weights).any()


def test_unimodality_is_a_sum_over_a_sample_and_a_mean_over_the_batch():
    keras.utils.set_random_seed(0)  # with some initial weights nothing is penalised
    layer = AttentionConvLSTM(2, steps=3, units=7, unimodality=2.0)
    weights = layer(20 * FRAMES)[1]
    expected = 2.0 * float(ops.sum(log_concavity(weights))) / len(FRAMES)
    assert expected > 0
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)


def test_parameter_count_is_its_closed_form():
    d, f, u = 3, 2, 7
    layer = AttentionConvLSTM(f, units=u)
    layer.build(FRAMES.shape)
    recurrence = 9 * (d + f) * 4 * f + 4 * f
    attention = d * u + (f + 1) * u + u
    initial = 2 * (9 * d * f + f + 9 * f * f + f + 2 * 4 * f)
    assert layer.count_params() == recurrence + attention + initial


def test_errors():
    with pytest.raises(ValueError, match="step t reads frame t"):
        AttentionConvLSTM(2, steps=3, score=None).build((None, 4, 3, 3, 2))
    with pytest.raises(ValueError, match="`steps` must be given"):
        AttentionConvLSTM(2).build((None, None, 3, 3, 2))
    with pytest.raises(ValueError, match="`kernel_size` must be odd"):
        AttentionConvLSTM(2, kernel_size=2)
