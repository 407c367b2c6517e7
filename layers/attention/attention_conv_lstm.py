from __future__ import annotations

import keras
from keras import ops

from zoo.layers.attention.attended_recurrence import convolve, run
from zoo.layers.attention.attention_lstm import unit_forget_bias
from zoo.layers.attention.attention_penalties import batch_mean, log_concavity
from zoo.layers.attention.temporal_soft_attention import TemporalSoftAttention, frame_count
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.replica_losses import ReplicaLosses


@keras.saving.register_keras_serializable(package="zoo")
class AttentionConvLSTM(ReplicaLosses, keras.layers.Layer):
    """A convolutional LSTM whose input at each step is a weighted sum of all frames.

    The state at step t-1 determines weights of the n frames (`TemporalSoftAttention`); their
    weighted sum Y_t is the input of step t. A convolution commutes with that sum, `W * sum w_i X_i
    = sum w_i (W * X_i)`, so the frames are convolved once rather than at each step. Gradients of
    everything that the steps share are also computed only once
    (`zoo.layers.attention.attended_recurrence`). The initial states are computed from the mean
    frame by two convolutions, each with batch normalisation.

    Args:
        filters: Number of channels of the state.
        steps: Number of steps T, independent of the number of frames n. None: one step per frame,
            if their number is known.
        kernel_size: Kernel size of the convolutions in the recurrence and for the initial states.
        score: See `TemporalSoftAttention`; None for no attention: step t reads frame t.
        units: Width of the score's hidden layer.
        average: Whether Y_t is divided by n, as in the paper.
        unimodality: Weight of the `log_concavity` of the attention weights, added to the model's
            loss as a mean over the batch.

    Call arguments: the frames and optionally `mask`, (batch, time) with zeros at padded frames,
    which get zero weight.

    Input shape: `(batch, n, height, width, channels)`.
    Output: the states `(batch, steps, height, width, filters)` and the weights `(batch, steps,
    n)`, float32; without attention only the states.

    Raises:
        ValueError: An argument is out of range, or the input has another shape.

    Example:

    ```python
    states, weights = AttentionConvLSTM(512, steps=50)(features)
    ```

    Reference: Meng et al., Interpretable spatio-temporal attention, 2019, section 3.3; Shi et
    al., Convolutional LSTM network, 2015.
    """

    def __init__(
        self,
        filters=512,
        steps=None,
        kernel_size=3,
        score="additive",
        units=512,
        average=True,
        unimodality=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if steps is not None and steps < 1:
            raise ValueError(f"`steps` must be at least 1. Received: steps={steps}")
        if filters < 1:
            raise ValueError(f"`filters` must be at least 1. Received: filters={filters}")
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: kernel_size={kernel_size}")
        self.filters = filters
        self.steps = steps
        self.kernel_size = kernel_size
        self.score = score
        self.units = units
        self.average = average
        self.unimodality = unimodality
        self.supports_masking = True
        self.attention = None
        if score is not None:
            self.attention = TemporalSoftAttention(
                units, score=score, name="attention", dtype=self.dtype_policy
            )

    def build(self, input_shape):
        if len(input_shape) != 5:
            raise ValueError(
                "The input must have shape (batch, time, height, width, channels). "
                f"Received: shape={tuple(input_shape)}"
            )
        self._step_count(input_shape[1])
        map_shape = input_shape[2:4]
        channels = input_shape[-1]
        window = (self.kernel_size, self.kernel_size)
        gates = 4 * self.filters
        self.kernel = self.add_weight(
            name="kernel", shape=(*window, channels, gates), initializer="glorot_uniform"
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(*window, self.filters, gates), initializer="orthogonal"
        )
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer=unit_forget_bias)
        if self.attention is not None:
            self.attention.build(tuple(input_shape), (None, *map_shape, self.filters))
        self.initial = []
        for state in ("hidden", "cell"):
            shape = (None, *map_shape, channels)
            stack = []
            for index in range(2):
                convolution = keras.layers.Conv2D(
                    self.filters,
                    self.kernel_size,
                    padding="same",
                    data_format="channels_last",
                    name=f"initial_{state}_conv_{index}",
                    dtype=self.dtype_policy,
                )
                # With Keras's default momentum of 0.99, the statistics follow the convolutions too
                # slowly in a training of some hundred steps.
                norm = BatchNormalization(
                    momentum=0.9, name=f"initial_{state}_bn_{index}", dtype=self.dtype_policy
                )
                convolution.build(shape)
                shape = (None, *map_shape, self.filters)
                norm.build(shape)
                stack += [convolution, norm]
            self.initial.append(stack)
        self.built = True

    def _step_count(self, frames):
        if self.attention is None and None not in (self.steps, frames) and self.steps != frames:
            raise ValueError(
                "Without attention, `steps` must be None or the number of frames, because step t "
                f"reads frame t. Received: steps={self.steps}, frames={frames}"
            )
        if self.attention is not None and self.steps is None and frames is None:
            raise ValueError(
                "`steps` must be given if the number of frames is unknown. Received: steps=None"
            )
        return self.steps or frames

    def _initial_state(self, stack, mean, training):
        first, first_norm, second, second_norm = stack
        x = ops.relu(first_norm(first(mean), training=training))
        return second_norm(second(x), training=training)

    def call(self, inputs, mask=None, training=None):
        height, width, channels = inputs.shape[2:]
        batch, frames = ops.shape(inputs)[:2]
        gates = 4 * self.filters
        count = frame_count(inputs, mask, inputs.dtype)
        if mask is None:
            mean = ops.mean(inputs, axis=1)
        else:
            present = ops.cast(mask, inputs.dtype)[:, :, None, None, None]
            mean = ops.sum(inputs * present, axis=1) / count[:, :, None, None]
        hidden, cell = (self._initial_state(stack, mean, training) for stack in self.initial)
        cell = ops.cast(cell, "float32")

        convolved = convolve(
            ops.reshape(inputs, (-1, height, width, channels)),
            ops.cast(self.kernel, inputs.dtype),
        )
        convolved = ops.reshape(convolved, (batch, frames, height, width, gates))
        shared = [ops.cast(w, inputs.dtype) for w in (self.recurrent_kernel, self.bias)]
        if self.attention is None:
            return run(convolved, hidden, cell, *shared)[0]
        present = ops.ones((batch, frames)) if mask is None else mask
        present = ops.cast(present, "float32")
        share = 1.0 / ops.cast(count, "float32") if self.average else 1.0
        attention = (
            ops.cast(self.attention.keys(inputs), "float32"),
            *(ops.cast(w, "float32") for w in self.attention.query_weights()),
            present,
            share * ops.ones((batch, 1), "float32"),
        )
        states, weights = run(
            convolved,
            hidden,
            cell,
            *shared,
            attention,
            score=self.score,
            steps=self._step_count(inputs.shape[1]),
        )
        if self.unimodality:
            self.add_loss(self.unimodality * batch_mean(log_concavity(weights)))
        return states, weights

    def compute_mask(self, inputs, previous_mask=None):
        return None if self.attention is None else [None, None]

    def compute_output_spec(self, inputs, mask=None, training=None):
        batch, frames, height, width, _ = inputs.shape
        steps = self._step_count(frames)
        states = keras.KerasTensor(
            (batch, steps, height, width, self.filters), dtype=self.compute_dtype
        )
        if self.attention is None:
            return states
        return states, keras.KerasTensor((batch, steps, frames), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "steps": self.steps,
            "kernel_size": self.kernel_size,
            "score": self.score,
            "units": self.units,
            "average": self.average,
            "unimodality": self.unimodality,
        }
