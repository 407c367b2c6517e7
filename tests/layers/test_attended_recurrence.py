import math
from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.gradients import gradient
from zoo.layers.attention.attended_recurrence import convolve, run

RNG = np.random.default_rng(0)
BATCH, FRAMES, HEIGHT, WIDTH, FILTERS, UNITS, STEPS = 2, 4, 3, 5, 3, 6, 5


def random(*shape):
    return RNG.normal(size=shape).astype("float32")


POINT = {
    "frames": random(BATCH, FRAMES, HEIGHT, WIDTH, 4 * FILTERS),
    "hidden": random(BATCH, HEIGHT, WIDTH, FILTERS),
    "cell": random(BATCH, HEIGHT, WIDTH, FILTERS),
    "kernel": 0.3 * random(3, 3, FILTERS, 4 * FILTERS),
    "bias": random(4 * FILTERS),
    "keys": random(BATCH, FRAMES, UNITS),
    "query_kernel": random(FILTERS, UNITS),
    "query_bias": random(UNITS),
    "vector": random(UNITS),
    "present": np.array([[1, 1, 1, 1], [1, 1, 0, 1]], "float32"),
    "share": np.array([[0.25], [0.5]], "float32"),
}
ATTENTION = ("keys", "query_kernel", "query_bias", "vector", "present", "share")
# So that every output has a different gradient.
FACTORS = random(BATCH, STEPS, HEIGHT, WIDTH, FILTERS), random(BATCH, STEPS, FRAMES)


def fast(p, score):
    head = [p[name] for name in ("frames", "hidden", "cell", "kernel", "bias")]
    attention = None if score is None else tuple(p[name] for name in ATTENTION)
    return run(*head, attention, score=score, steps=STEPS)


def plain(p, score):
    """The same recurrence step by step, differentiated automatically."""
    h, c = p["hidden"], p["cell"]
    states, all_weights = [], []
    for t in range(p["frames"].shape[1] if score is None else STEPS):
        if score is None:
            x = p["frames"][:, t]
        else:
            q = ops.matmul(ops.mean(h, axis=(1, 2)), p["query_kernel"]) + p["query_bias"]
            if score == "additive":
                e = ops.matmul(ops.tanh(p["keys"] + q[:, None]), p["vector"][:, None])[..., 0]
            elif score == "dot":
                e = ops.einsum("bnu,bu->bn", p["keys"], q) / math.sqrt(UNITS)
            else:
                e = p["keys"][..., 0]
            w = ops.exp(e) * p["present"]
            w = w / ops.sum(w, axis=1, keepdims=True)
            all_weights.append(w)
            x = ops.einsum("bn,bnhwg->bhwg", w * p["share"], p["frames"])
        x = x + p["bias"] + ops.conv(h, p["kernel"], padding="same")
        i, f, g, o = ops.split(x, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        states.append(h)
    return ops.stack(states, axis=1), ops.stack(all_weights, axis=1) if score else None


@pytest.mark.parametrize("score", ["additive", "dot", "sum", None])
def test_values_and_gradients_are_those_of_the_plain_loop(score):
    point = {k: ops.convert_to_tensor(v) for k, v in POINT.items()}
    if score == "sum":
        point["keys"] = point["keys"][..., :1]

    def loss(form, name, value):
        states, weights = form({**point, name: value}, score)
        of_states, of_weights = (ops.convert_to_tensor(factor) for factor in FACTORS)
        total = ops.sum(ops.square(states) * of_states[:, : states.shape[1]])
        return total if weights is None else total + ops.sum(weights * of_weights)

    for ours, theirs in zip(fast(point, score), plain(point, score)):
        if theirs is not None:
            np.testing.assert_allclose(
                ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), atol=1e-5
            )
    names = ["frames", "hidden", "cell", "kernel", "bias"]
    if score == "sum":
        names.append("keys")
    elif score is not None:
        names += ["keys", "query_kernel", "query_bias"]
    if score == "additive":
        names.append("vector")
    for name in names:
        value = ops.convert_to_numpy(point[name])
        ours, theirs = (gradient(partial(loss, form, name), value) for form in (fast, plain))
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-4, err_msg=name)
        assert np.abs(theirs).max() > 1e-3, name


@pytest.mark.parametrize("size", [1, 3, 5])
def test_convolution_by_matrix_products(size):
    x, kernel = random(2, 4, 6, 3), random(size, size, 3, 2)

    def plain_convolution(x, kernel):
        return ops.conv(x, kernel, padding="same")

    def of_x(form, x):
        return ops.sum(ops.square(form(x, ops.convert_to_tensor(kernel))))

    def of_kernel(form, kernel):
        return ops.sum(ops.square(form(ops.convert_to_tensor(x), kernel)))

    found = convolve(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel))
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), ops.convert_to_numpy(plain_convolution(x, kernel)), atol=1e-5
    )
    for loss, point in ((of_x, x), (of_kernel, kernel)):
        ours, theirs = (
            gradient(partial(loss, form), point) for form in (convolve, plain_convolution)
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_whole_layer_trains_in_half_precision():
    from zoo.layers import AttentionConvLSTM

    layer = AttentionConvLSTM(2, steps=3, units=4, dtype="mixed_bfloat16")
    inputs = keras.Input((4, 3, 3, 5))
    states, weights = layer(inputs)
    model = keras.Model(inputs, [states, weights])
    model.compile("sgd", loss=["mse", None])
    loss = model.fit(random(2, 4, 3, 3, 5), np.zeros((2, 3, 3, 3, 2), "float32"), verbose=0)
    assert np.isfinite(loss.history["loss"][0])
    assert all(np.isfinite(ops.convert_to_numpy(w)).all() for w in layer.weights)
