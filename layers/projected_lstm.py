"""An LSTM that projects the inputs of all steps at once."""

from __future__ import annotations

import keras
from keras import ops


class _ProjectedLoop(keras.layers.RNN):
    """The loop that `keras.layers.LSTM` runs if there is no fused kernel."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        cell = self.cell
        plain = mask is None and not (self.unroll or self.go_backwards)
        if not plain or cell.dropout or cell.recurrent_dropout:
            return super().inner_loop(sequences, initial_state, mask, training)
        projected = ops.matmul(sequences, cell.kernel)
        if cell.use_bias:
            projected = projected + cell.bias
        recurrent = ops.convert_to_tensor(cell.recurrent_kernel)

        def step(states, now):
            hidden, memory = states
            gates = ops.split(now + ops.matmul(hidden, recurrent), 4, axis=-1)
            keep_in, keep, new, out = gates
            memory = cell.recurrent_activation(keep) * memory + cell.recurrent_activation(
                keep_in
            ) * cell.activation(new)
            hidden = cell.recurrent_activation(out) * cell.activation(memory)
            # Output both, because TensorFlow's `scan` requires outputs shaped like the states.
            return (hidden, memory), (hidden, memory)

        states = tuple(ops.cast(state, projected.dtype) for state in initial_state)
        states, (outputs, _) = ops.scan(step, states, ops.moveaxis(projected, 1, 0))
        outputs = ops.moveaxis(outputs, 0, 1)  # (batch, time, units)
        return states[0], outputs, list(states)


@keras.saving.register_keras_serializable(package="zoo")
class ProjectedLSTM(keras.layers.LSTM, _ProjectedLoop):
    """An LSTM that multiplies the inputs of all steps by the kernel at once.

    Without a fused kernel (on a CPU), `keras.layers.LSTM` reads the whole input kernel again at
    every step, which takes most of the time if the features are wide. Values, weights and
    arguments are the same as for `keras.layers.LSTM`. So is the computation on a GPU, which uses
    the fused kernel, and with dropout inside the cell, a mask, `unroll` or `go_backwards`.

    Args: see `keras.layers.LSTM`.

    Input shape: (batch, time, features).

    Output shape: (batch, units), or (batch, time, units) with `return_sequences`.

    Example: `ProjectedLSTM(256, return_sequences=True)(features)`

    Reference: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.
    """
