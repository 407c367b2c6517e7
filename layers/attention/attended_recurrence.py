"""The recurrence of a convolutional LSTM with attention, with a custom gradient.

Automatic differentiation of the loop would compute the gradient of everything that the steps share
(the recurrent kernel, the convolved frames) at each step and add up the results. Here each is a
single product over all steps. Convolutions are matrix products of shifted maps, which is fast for
small maps.
"""

from __future__ import annotations

import math

from keras import ops


def shifts(x, size: int):
    """Yield (row, column, shifted copy) of maps (batch, height, width, channels), zero-padded."""
    height, width = x.shape[1:3]
    reach = size // 2
    padded = ops.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    for row in range(size):
        for column in range(size):
            yield row, column, padded[:, row : row + height, column : column + width]


def convolve(x, kernel):
    """A "same" convolution of maps with an odd kernel, as a sum of matrix products."""

    def forward(x, kernel):
        def backward(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream
            return (
                products(upstream, turned(kernel)),
                kernel_gradient(x, upstream, kernel.shape[0]),
            )

        return products(x, kernel), backward

    # Automatic differentiation would store each shifted copy and, for each position of the
    # kernel, compute a gradient of the size of the whole kernel.
    return ops.custom_gradient(forward)(x, kernel)


def products(x, kernel):
    """`convolve` without the custom gradient."""
    total = None
    channels = kernel.shape[2]
    for row, column, part in shifts(x, kernel.shape[0]):
        term = ops.matmul(ops.reshape(part, (-1, channels)), kernel[row, column])
        total = term if total is None else total + term
    return ops.reshape(total, (-1, *x.shape[1:3], kernel.shape[3]))


def turned(kernel):
    """The kernel that propagates a convolution's gradient back to its input."""
    return ops.transpose(ops.flip(kernel, axis=(0, 1)), (0, 1, 3, 2))


def kernel_gradient(x, gradient, size: int):
    """The gradient of `convolve(x, kernel)` with respect to the kernel."""
    flat = ops.reshape(gradient, (-1, gradient.shape[-1]))
    parts = [
        ops.matmul(ops.transpose(ops.reshape(part, (-1, x.shape[-1]))), flat)
        for _, _, part in shifts(x, size)
    ]
    return ops.reshape(ops.stack(parts), (size, size, x.shape[-1], gradient.shape[-1]))


def energies(score: str, keys, query, vector):
    """Attention energies (..., n) of frames with keys (..., n, units), for a query (..., units).

    With "sum", the keys are already the energies, (..., n, 1), because the softmax cancels the
    query's contribution.
    """
    if score == "additive":
        return ops.sum(ops.tanh(keys + query[..., None, :]) * vector, axis=-1)
    if score == "dot":
        return ops.sum(keys * query[..., None, :], axis=-1) / math.sqrt(keys.shape[-1])
    return keys[..., 0]


def energy_gradients(score: str, keys, query, vector, gradient):
    """Gradients of `energies` with respect to (keys, query, vector); the last one is not summed."""
    gradient = gradient[..., None]
    if score == "additive":
        hidden = ops.tanh(keys + query[..., None, :])
        inner = gradient * vector * (1.0 - ops.square(hidden))
        return inner, ops.sum(inner, axis=-2), gradient * hidden
    if score == "dot":
        gradient = gradient / math.sqrt(keys.shape[-1])
        return gradient * query[..., None, :], ops.sum(gradient * keys, axis=-2), None
    return gradient, ops.zeros_like(query), None


def run(frames, hidden, cell, kernel, bias, attention=None, *, score=None, steps=None):
    """Run the recurrence: hidden states and attention weights of all steps.

    Args:
        frames: (batch, n, height, width, 4 filters), the frames after the input convolution.
        hidden, cell: Initial states (batch, height, width, filters); `cell` in float32.
        kernel, bias: Weights of the recurrence; the gates are in, forget, new, out.
        attention: None: step t reads frame t. Otherwise (keys (batch, n, units), query kernel
            (filters, units), query bias (units,), vector (units,), present (batch, n), share
            (batch, 1)). Frames that are not present get zero weight; the weighted sum is
            multiplied by the share.
        score: "additive", "dot" or "sum".
        steps: Number of steps, with attention.

    Returns:
        The states (batch, steps, height, width, filters) in the dtype of `frames`, and the
        attention weights (batch, steps, n) in float32, or None without attention.
    """
    dtype = frames.dtype
    height, width, filters = hidden.shape[1:]
    size = kernel.shape[0]
    places = height * width

    def gathered(x, flat_kernel):
        """A convolution as one product, which for the few maps of one step is faster than nine."""
        columns = ops.concatenate([part for _, _, part in shifts(x, size)], axis=-1)
        product = ops.matmul(ops.reshape(columns, (-1, flat_kernel.shape[0])), flat_kernel)
        return ops.reshape(product, (-1, height, width, flat_kernel.shape[1]))

    def advance(x, hidden, cell, kernel):
        x = x + gathered(hidden, ops.reshape(kernel, (-1, 4 * filters)))
        gates = ops.cast(x, "float32")
        squashed = ops.sigmoid(gates)
        i, f, _, o = ops.split(squashed, 4, axis=-1)
        g = ops.tanh(gates[..., 2 * filters : 3 * filters])
        cell = f * cell + i * g
        return ops.cast(o * ops.tanh(cell), dtype), cell, ops.concatenate([i, f, g, o], axis=-1)

    def query_of(mean, weights, bias):
        return ops.matmul(ops.cast(mean, "float32"), weights) + bias

    def weigh(keys, query, vector, present):
        e = energies(score, keys, query, vector)
        weights = ops.softmax(e - 1e9 * (1.0 - present), axis=-1) * present
        # If all frames are padding, the weights are zero rather than the result of 0 / 0.
        return weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-12)

    def forward(frames, hidden, cell, kernel, bias, *attention):
        flat = ops.reshape(frames, (-1, ops.shape(frames)[1], places * 4 * filters))
        first = hidden, cell
        # Keras's scan emits the carried values, so everything to be kept must be carried.
        start = {
            "hidden": hidden,
            "cell": cell,
            "gates": ops.concatenate([ops.zeros_like(cell)] * 4, axis=-1),
        }
        if attention:
            start["weights"] = ops.zeros_like(attention[4])

        def step(carry, x):
            hidden, cell = carry["hidden"], carry["cell"]
            emitted = {}
            if attention:
                keys, query_kernel, query_bias, vector, present, share = attention
                query = query_of(ops.mean(hidden, axis=(1, 2)), query_kernel, query_bias)
                weights = weigh(keys, query, vector, present)
                x = ops.matmul(ops.cast(weights * share, dtype)[:, None], flat)
                x = ops.reshape(x, (-1, height, width, 4 * filters))
                emitted["weights"] = weights
            hidden, cell, gates = advance(x + bias, hidden, cell, kernel)
            emitted.update(hidden=hidden, cell=cell, gates=gates)
            return emitted, emitted

        if attention:
            _, done = ops.scan(step, start, length=steps)
        else:
            _, done = ops.scan(step, start, time_first(frames))
        outputs = ops.cast(done["hidden"], "float32")
        outputs = ops.reshape(outputs, (*ops.shape(outputs)[:2], places * filters))
        if attention:
            outputs = ops.concatenate([outputs, done["weights"]], axis=-1)

        def backward(*arguments, upstream=None):
            # Some backends call backward(upstream), others backward(*inputs, upstream=...).
            upstream = arguments[0] if upstream is None else upstream
            return _backward(upstream, done, frames, flat, first, kernel, attention)

        return outputs, backward

    def _backward(upstream, done, frames, flat, first, kernel, attention):
        back_kernel = ops.reshape(turned(kernel), (-1, filters))
        before = {
            "hidden": ops.concatenate([first[0][None], done["hidden"][:-1]]),
            "cell": ops.concatenate([first[1][None], done["cell"][:-1]]),
        }
        up_hidden = ops.reshape(upstream[..., : places * filters], ops.shape(done["hidden"]))
        given = {
            "hidden": up_hidden,
            "cell": done["cell"],
            "cell_before": before["cell"],
            "gates": done["gates"],
        }
        if attention:
            keys, query_kernel, query_bias, vector, present, share = attention
            queries = query_of(ops.mean(before["hidden"], axis=(2, 3)), query_kernel, query_bias)
            given["weights"] = done["weights"]
            given["up_weights"] = upstream[..., places * filters :]
            given["query"] = queries

        def step(carry, now):
            d_hidden, d_cell = carry["hidden"], carry["cell"]
            i, f, g, o = ops.split(now["gates"], 4, axis=-1)
            d_hidden = d_hidden + now["hidden"]
            squashed = ops.tanh(now["cell"])
            d_cell = d_cell + d_hidden * o * (1.0 - ops.square(squashed))
            d_gates = ops.concatenate(
                [
                    d_cell * g * i * (1.0 - i),
                    d_cell * now["cell_before"] * f * (1.0 - f),
                    d_cell * i * (1.0 - ops.square(g)),
                    d_hidden * squashed * o * (1.0 - o),
                ],
                axis=-1,
            )
            d_gates = ops.cast(d_gates, dtype)
            d_before = ops.cast(gathered(d_gates, back_kernel), "float32")
            emitted = {"gates": d_gates, "cell": d_cell * f}
            if attention:
                column = ops.reshape(d_gates, (-1, places * 4 * filters, 1))
                d_weights = ops.cast(ops.matmul(flat, column)[..., 0], "float32") * share
                d_weights = d_weights + now["up_weights"]
                mean = ops.sum(d_weights * now["weights"], axis=-1, keepdims=True)
                d_energies = now["weights"] * (d_weights - mean)
                _, d_query, _ = energy_gradients(score, keys, now["query"], vector, d_energies)
                d_mean = ops.matmul(d_query, ops.transpose(query_kernel)) / places
                d_before = d_before + d_mean[:, None, None]
                emitted["energies"] = d_energies
            emitted["hidden"] = d_before
            return emitted, emitted

        zeros = ops.zeros_like(done["cell"][0])
        start = {
            "hidden": zeros,
            "cell": zeros,
            "gates": ops.zeros_like(ops.cast(done["gates"][0], dtype)),
        }
        if attention:
            start["energies"] = ops.zeros_like(done["weights"][0])
        last, made = ops.scan(step, start, given, reverse=True)
        d_hidden, d_cell = last["hidden"], last["cell"]
        d_gates = made["gates"]
        d_kernel = kernel_gradient(
            ops.reshape(before["hidden"], (-1, height, width, filters)),
            ops.reshape(d_gates, (-1, height, width, 4 * filters)),
            size,
        )
        d_bias = ops.cast(ops.sum(ops.cast(d_gates, "float32"), axis=(0, 1, 2, 3)), dtype)
        shared = (ops.cast(d_hidden, dtype), d_cell, d_kernel, d_bias)
        if not attention:
            return (time_first(d_gates), *shared)
        weights = ops.transpose(done["weights"] * share, (1, 2, 0))  # (batch, n, steps)
        d_flat = time_first(ops.reshape(d_gates, (*ops.shape(d_gates)[:2], places * 4 * filters)))
        d_frames = ops.reshape(ops.matmul(ops.cast(weights, dtype), d_flat), ops.shape(frames))
        d_keys, d_queries, d_vector = energy_gradients(
            score, keys, queries, vector, made["energies"]
        )
        means = ops.cast(ops.mean(before["hidden"], axis=(2, 3)), "float32")
        return (
            d_frames,
            *shared,
            ops.sum(d_keys, axis=0),
            ops.einsum("tbf,tbu->fu", means, d_queries),
            ops.sum(d_queries, axis=(0, 1)),
            ops.zeros_like(vector) if d_vector is None else ops.sum(d_vector, axis=(0, 1, 2)),
            ops.zeros_like(present),
            ops.zeros_like(share),
        )

    packed = ops.custom_gradient(forward)(frames, hidden, cell, kernel, bias, *(attention or ()))
    packed = time_first(packed)
    states = ops.reshape(
        packed[..., : places * filters], (*ops.shape(packed)[:2], height, width, filters)
    )
    return ops.cast(states, dtype), packed[..., places * filters :] if attention else None


def time_first(x):
    """Swap the first two axes: (batch, time, ...) and (time, batch, ...)."""
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))
