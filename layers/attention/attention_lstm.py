from __future__ import annotations

import keras
from keras import ops

from zoo.layers.attention.attended_recurrence import time_first
from zoo.layers.attention.attention_penalties import batch_mean, doubly_stochastic
from zoo.layers.attention.location_attention import LocationAttention
from zoo.layers.replica_losses import ReplicaLosses

ATTENTIONS = ("location", "additive", "average", "max")


@keras.saving.register_keras_serializable(package="zoo")
class AttentionLSTM(ReplicaLosses, keras.layers.Layer):
    """A stack of LSTMs that attends, at each step, to positions of the step's frame.

    The last layer's state at step t-1 determines the weights of the positions at step t
    (`LocationAttention`); the weighted mean of the frame's features is the input of the stack. The
    initial states are computed from the mean feature over time and positions by two perceptrons
    (a tanh layer, then a tanh layer for the states of all LSTMs). Dropout applies to the
    connections that are not recurrent.

    Args:
        units: Number of units of each LSTM.
        num_layers: Number of LSTMs.
        attention: `"location"` or `"additive"`, see `LocationAttention`; `"average"` or `"max"`
            pool over positions instead, as the baselines do.
        dropout: Dropout rate.
        penalty: Weight of the `doubly_stochastic` penalty of the attention, added to the model's
            loss as a mean over the batch.
        kernel_regularizer: Regulariser of all matrices.
        seed: Random seed of the dropout.

    Call arguments: the features and optionally `mask`, (batch, time) with zeros at padded frames,
    which leave the states unchanged and have zero attention.

    Input shape: `(batch, time, height, width, channels)`.
    Output: the last layer's states `(batch, time, units)` and the attention `(batch, time,
    height, width)`, float32 (uniform with pooling).

    Raises:
        ValueError: An argument is out of range, or the input has another shape.

    Example:

    ```python
    states, attention = AttentionLSTM(512, num_layers=3)(features)
    ```

    Reference: Sharma et al., Action recognition using visual attention, 2016, section 3.2.
    """

    def __init__(
        self,
        units=512,
        num_layers=3,
        attention="location",
        dropout=0.5,
        penalty=0.0,
        kernel_regularizer=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(
                f"`attention` must be one of {ATTENTIONS}. Received: attention={attention!r}"
            )
        if units < 1 or num_layers < 1:
            raise ValueError(
                "`units` and `num_layers` must be at least 1. "
                f"Received: units={units}, num_layers={num_layers}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout}")
        self.units = units
        self.num_layers = num_layers
        self.attention = attention
        self.dropout = dropout
        self.penalty = penalty
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.locate = None
        if attention in ("location", "additive"):
            self.locate = LocationAttention(
                attention,
                kernel_regularizer=kernel_regularizer,
                name="locate",
                dtype=self.dtype_policy,
            )

    def build(self, input_shape):
        if len(input_shape) != 5:
            raise ValueError(
                "The input must have shape (batch, time, height, width, channels). "
                f"Received: shape={tuple(input_shape)}"
            )
        channels = input_shape[-1]
        if self.locate is not None:
            self.locate.build((None, *input_shape[2:]), (None, self.units))
        self.kernels, self.recurrent_kernels, self.biases = [], [], []
        for index in range(self.num_layers):
            width = channels if index == 0 else self.units
            self.kernels.append(self._weight(f"kernel_{index}", (width, 4 * self.units)))
            self.recurrent_kernels.append(
                self._weight(f"recurrent_kernel_{index}", (self.units, 4 * self.units), orthogonal)
            )
            self.biases.append(
                self.add_weight(
                    name=f"bias_{index}", shape=(4 * self.units,), initializer=unit_forget_bias
                )
            )
        self.initial = []
        for state in ("hidden", "cell"):
            layers = []
            width = channels
            for layer, count in (("mlp", self.units), ("out", self.num_layers * self.units)):
                dense = keras.layers.Dense(
                    count,
                    activation="tanh",
                    kernel_regularizer=self.kernel_regularizer,
                    name=f"initial_{state}_{layer}",
                    dtype=self.dtype_policy,
                )
                dense.build((None, width))
                width = count
                layers.append(dense)
            self.initial.append(layers)
        self.built = True

    def _weight(self, name, shape, initializer="glorot_uniform"):
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, regularizer=self.kernel_regularizer
        )

    def _initial_states(self, inputs, mask):
        means = ops.mean(inputs, axis=(2, 3))
        if mask is None:
            mean = ops.mean(means, axis=1)
        else:
            weights = ops.cast(mask, means.dtype)[..., None]
            mean = ops.sum(means * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)
        states = []
        for mlp, out in self.initial:
            all_layers = ops.reshape(out(mlp(mean)), (-1, self.num_layers, self.units))
            states.append([all_layers[:, index] for index in range(self.num_layers)])
        return states

    def _dropout_masks(self, inputs, training):
        if not training or not self.dropout:
            return None
        batch, time = ops.shape(inputs)[:2]
        widths = [inputs.shape[-1]] + [self.units] * (self.num_layers - 1)
        return [
            keras.random.dropout(
                ops.ones((time, batch, width), self.compute_dtype),
                self.dropout,
                seed=self.seed_generator,
            )
            for width in widths
        ]

    def call(self, inputs, mask=None, training=None):
        states = self._initial_states(inputs, mask)
        steps = {"frames": time_first(inputs)}
        masks = self._dropout_masks(inputs, training)
        if masks is not None:
            steps["dropout"] = masks
        if mask is not None:
            steps["present"] = ops.transpose(ops.cast(mask, "float32"))[..., None]
        weights = [
            [ops.convert_to_tensor(w) for w in layer]
            for layer in zip(self.kernels, self.recurrent_kernels, self.biases)
        ]
        if training:
            steps["gates"] = self._zeros_with_gradient(states, steps, weights)
            weights = [[ops.stop_gradient(w) for w in layer] for layer in weights]
        done = self._run(states, steps, weights)
        attention = time_first(done["attention"])
        if self.penalty and self.locate is not None:
            self.add_loss(self.penalty * batch_mean(doubly_stochastic(attention)))
        return time_first(done["hidden"][-1]), attention

    def _zeros_with_gradient(self, states, steps, weights):
        """For each LSTM, zeros (time, batch, 4 units) that pass the gates' gradient to its weights.

        Differentiating the loop would compute a gradient of each matrix at each step and add them
        up. From the inputs and states of all steps, found by a run without gradients, it is one
        product.
        """
        done = self._run(states, steps, weights)
        found = []
        for index, (hidden, layer) in enumerate(zip(done["hidden"], weights)):
            x = done["input"] if index == 0 else done["hidden"][index - 1]
            if index and "dropout" in steps:
                x = x * steps["dropout"][index]
            before = ops.concatenate([states[0][index][None], hidden[:-1]])
            # A product with zeros, not a difference of two products, which may overflow.
            kernel, recurrent_kernel, bias = (w - ops.stop_gradient(w) for w in layer)
            found.append(
                ops.matmul(ops.stop_gradient(x), kernel)
                + ops.matmul(ops.stop_gradient(before), recurrent_kernel)
                + bias
            )
        return found

    def _run(self, states, steps, weights):
        """All steps: the states of each LSTM, the attention, and the input of the first LSTM."""
        frames = steps["frames"]
        height, width = frames.shape[2:4]
        attention = ops.zeros_like(ops.cast(frames[0, ..., 0], "float32"))
        # Keras's scan emits the carried values, so everything to be kept must be carried.
        start = {
            "hidden": states[0],
            "cell": states[1],
            "attention": attention,
            "input": ops.zeros_like(frames[0, :, 0, 0]),
        }

        def step(carry, now):
            frame = now["frames"]
            if self.locate is not None:
                x, looked = self.locate(frame, carry["hidden"][-1])
            else:
                pool = ops.mean if self.attention == "average" else ops.max
                x = pool(frame, axis=(1, 2))
                looked = ops.full_like(attention, 1 / (height * width))
            emitted = {"hidden": [], "cell": []}
            for index, layer in enumerate(weights):
                if "dropout" in now:
                    x = x * now["dropout"][index]
                if index == 0:
                    emitted["input"] = x
                before = carry["hidden"][index], carry["cell"][index]
                offset = now["gates"][index] if "gates" in now else 0.0
                h, c = _lstm(x, *before, *layer, offset)
                if "present" in now:
                    present = now["present"]
                    keep = ops.cast(present, h.dtype)
                    h = keep * h + (1 - keep) * before[0]
                    c = keep * c + (1 - keep) * before[1]
                emitted["hidden"].append(h)
                emitted["cell"].append(c)
                x = h
            if "present" in now:
                looked = looked * now["present"][..., None]
            emitted["attention"] = looked
            return emitted, emitted

        return ops.scan(step, start, steps)[1]

    def compute_mask(self, inputs, previous_mask=None):
        return [previous_mask, None]

    def compute_output_spec(self, inputs, mask=None, training=None):
        batch, time, height, width, _ = inputs.shape
        return (
            keras.KerasTensor((batch, time, self.units), dtype=self.compute_dtype),
            keras.KerasTensor((batch, time, height, width), dtype="float32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "num_layers": self.num_layers,
            "attention": self.attention,
            "dropout": self.dropout,
            "penalty": self.penalty,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "seed": self.seed,
        }


def _lstm(x, h, c, kernel, recurrent_kernel, bias, offset):
    gates = ops.matmul(x, kernel) + ops.matmul(h, recurrent_kernel) + bias + offset
    i, f, g, o = ops.split(gates, 4, axis=-1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


def orthogonal(shape, dtype=None):
    """Initializer of recurrent matrices: one orthogonal block per gate."""
    blocks = [keras.initializers.Orthogonal()((shape[0], shape[1] // 4), dtype) for _ in range(4)]
    return ops.concatenate(blocks, axis=-1)


def unit_forget_bias(shape, dtype=None):
    """Initializer of gate biases: ones for the forget gate (the second of four), else zeros."""
    quarter = shape[0] // 4
    parts = [ops.zeros((quarter,), dtype), ops.ones((quarter,), dtype)]
    return ops.concatenate([*parts, ops.zeros((2 * quarter,), dtype)])
