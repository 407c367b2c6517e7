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
    recurrence = _Recurrence(hidden.shape[1:], kernel.shape[0], frames.dtype, score, steps)
    return recurrence(frames, hidden, cell, kernel, bias, attention or ())


class _Recurrence:
    """The recurrence of `run`, with its custom gradient.

    Args:
        shape: (height, width, filters) of the states.
        size: Side of the recurrent kernel.
        dtype: Dtype of the frames and of the hidden states.
        score, steps: As in `run`.
    """

    def __init__(self, shape, size: int, dtype, score: str | None, steps: int | None):
        self.height, self.width, self.filters = shape
        self.places = self.height * self.width
        self.size, self.dtype, self.score, self.steps = size, dtype, score, steps

    def __call__(self, frames, hidden, cell, kernel, bias, attention):
        def forward(*arguments):
            return self.forward(*arguments)

        packed = ops.custom_gradient(forward)(frames, hidden, cell, kernel, bias, *attention)
        packed = time_first(packed)
        width = self.places * self.filters
        states = ops.reshape(
            packed[..., :width],
            (*ops.shape(packed)[:2], self.height, self.width, self.filters),
        )
        return ops.cast(states, self.dtype), packed[..., width:] if attention else None

    def forward(self, frames, hidden, cell, kernel, bias, *attention):
        """All steps: (steps, batch, flattened state and weights), and the gradient function."""
        height, width, filters = self.height, self.width, self.filters
        flat = ops.reshape(frames, (-1, ops.shape(frames)[1], self.places * 4 * filters))
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
                query = _query(ops.mean(hidden, axis=(1, 2)), query_kernel, query_bias)
                weights = self.weigh(keys, query, vector, present)
                x = ops.matmul(ops.cast(weights * share, self.dtype)[:, None], flat)
                x = ops.reshape(x, (-1, height, width, 4 * filters))
                emitted["weights"] = weights
            hidden, cell, gates = self.advance(x + bias, hidden, cell, kernel)
            emitted.update(hidden=hidden, cell=cell, gates=gates)
            return emitted, emitted

        if attention:
            _, done = ops.scan(step, start, length=self.steps)
        else:
            _, done = ops.scan(step, start, time_first(frames))
        outputs = ops.cast(done["hidden"], "float32")
        outputs = ops.reshape(outputs, (*ops.shape(outputs)[:2], self.places * filters))
        if attention:
            outputs = ops.concatenate([outputs, done["weights"]], axis=-1)

        def backward(*arguments, upstream=None):
            # Some backends call backward(upstream), others backward(*inputs, upstream=...).
            upstream = arguments[0] if upstream is None else upstream
            return self.backward(upstream, done, frames, flat, (hidden, cell), kernel, attention)

        return outputs, backward

    def gathered(self, x, flat_kernel):
        """A convolution as one product, which for the few maps of one step is faster than nine."""
        columns = ops.concatenate([part for _, _, part in shifts(x, self.size)], axis=-1)
        product = ops.matmul(ops.reshape(columns, (-1, flat_kernel.shape[0])), flat_kernel)
        return ops.reshape(product, (-1, self.height, self.width, flat_kernel.shape[1]))

    def advance(self, x, hidden, cell, kernel):
        """One step of the LSTM: the next hidden state and cell, and the gates."""
        filters = self.filters
        x = x + self.gathered(hidden, ops.reshape(kernel, (-1, 4 * filters)))
        gates = ops.cast(x, "float32")
        squashed = ops.sigmoid(gates)
        i, f, _, o = ops.split(squashed, 4, axis=-1)
        g = ops.tanh(gates[..., 2 * filters : 3 * filters])
        cell = f * cell + i * g
        hidden = ops.cast(o * ops.tanh(cell), self.dtype)
        return hidden, cell, ops.concatenate([i, f, g, o], axis=-1)

    def weigh(self, keys, query, vector, present):
        """Attention weights (batch, n) of the frames."""
        e = energies(self.score, keys, query, vector)
        weights = ops.softmax(e - 1e9 * (1.0 - present), axis=-1) * present
        # If all frames are padding, the weights are zero rather than the result of 0 / 0.
        return weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-12)

    def backward(self, upstream, done, frames, flat, first, kernel, attention):
        """Gradients with respect to the arguments of `forward`."""
        filters = self.filters
        before = {
            "hidden": ops.concatenate([first[0][None], done["hidden"][:-1]]),
            "cell": ops.concatenate([first[1][None], done["cell"][:-1]]),
        }
        states = self.places * filters
        given = {
            "hidden": ops.reshape(upstream[..., :states], ops.shape(done["hidden"])),
            "cell": done["cell"],
            "cell_before": before["cell"],
            "gates": done["gates"],
        }
        if attention:
            means = ops.mean(before["hidden"], axis=(2, 3))
            given["weights"] = done["weights"]
            given["up_weights"] = upstream[..., states:]
            given["query"] = _query(means, *attention[1:3])
        last, made = self.steps_back(given, flat, kernel, attention)
        d_gates = made["gates"]
        d_kernel = kernel_gradient(
            ops.reshape(before["hidden"], (-1, self.height, self.width, filters)),
            ops.reshape(d_gates, (-1, self.height, self.width, 4 * filters)),
            self.size,
        )
        d_bias = ops.sum(ops.cast(d_gates, "float32"), axis=(0, 1, 2, 3))
        shared = (
            ops.cast(last["hidden"], self.dtype),
            last["cell"],
            d_kernel,
            ops.cast(d_bias, self.dtype),
        )
        if not attention:
            return (time_first(d_gates), *shared)
        weights = ops.transpose(done["weights"] * attention[5], (1, 2, 0))  # (batch, n, steps)
        d_flat = ops.reshape(d_gates, (*ops.shape(d_gates)[:2], self.places * 4 * filters))
        d_frames = ops.matmul(ops.cast(weights, self.dtype), time_first(d_flat))
        d_attention = self.attention_gradients(
            attention, given["query"], made["energies"], ops.cast(means, "float32")
        )
        return (ops.reshape(d_frames, ops.shape(frames)), *shared, *d_attention)

    def steps_back(self, given, flat, kernel, attention):
        """The steps in reverse: gradients of the initial states, and of what each step computes."""
        back_kernel = ops.reshape(turned(kernel), (-1, self.filters))

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
            d_gates = ops.cast(d_gates, self.dtype)
            d_before = ops.cast(self.gathered(d_gates, back_kernel), "float32")
            emitted = {"gates": d_gates, "cell": d_cell * f}
            if attention:
                keys, query_kernel, _, vector, _, share = attention
                column = ops.reshape(d_gates, (-1, self.places * 4 * self.filters, 1))
                d_weights = ops.cast(ops.matmul(flat, column)[..., 0], "float32") * share
                d_weights = d_weights + now["up_weights"]
                mean = ops.sum(d_weights * now["weights"], axis=-1, keepdims=True)
                d_energies = now["weights"] * (d_weights - mean)
                _, d_query, _ = energy_gradients(self.score, keys, now["query"], vector, d_energies)
                d_mean = ops.matmul(d_query, ops.transpose(query_kernel)) / self.places
                d_before = d_before + d_mean[:, None, None]
                emitted["energies"] = d_energies
            emitted["hidden"] = d_before
            return emitted, emitted

        zeros = ops.zeros_like(given["cell"][0])
        gates = ops.zeros_like(ops.cast(given["gates"][0], self.dtype))
        start = {"hidden": zeros, "cell": zeros, "gates": gates}
        if attention:
            start["energies"] = ops.zeros_like(given["weights"][0])
        return ops.scan(step, start, given, reverse=True)

    def attention_gradients(self, attention, queries, d_energies, means):
        """Gradients with respect to the tensors of `attention`, summed over all steps."""
        keys, _, _, vector, present, share = attention
        d_keys, d_queries, d_vector = energy_gradients(
            self.score, keys, queries, vector, d_energies
        )
        return (
            ops.sum(d_keys, axis=0),
            ops.einsum("tbf,tbu->fu", means, d_queries),
            ops.sum(d_queries, axis=(0, 1)),
            ops.zeros_like(vector) if d_vector is None else ops.sum(d_vector, axis=(0, 1, 2)),
            ops.zeros_like(present),
            ops.zeros_like(share),
        )


def _query(mean, kernel, bias):
    return ops.matmul(ops.cast(mean, "float32"), kernel) + bias


def time_first(x):
    """Swap the first two axes: (batch, time, ...) and (time, batch, ...)."""
    return ops.transpose(x, (1, 0, *range(2, len(x.shape))))
