from __future__ import annotations

import math

import keras
from keras import ops

from zoo.layers.attention.attention_penalties import batch_mean, log_concavity
from zoo.layers.replica_losses import ReplicaLosses

SCORES = ("additive", "sum", "dot")


@keras.saving.register_keras_serializable(package="zoo")
class TemporalSoftAttention(ReplicaLosses, keras.layers.Layer):
    """Sums the frames of a video with weights from a softmax over time.

    Args:
        units: Width of the score's hidden layer.
        score: How a frame's energy e_i is computed from the query h and the frame x_i.
            `"additive"`: `v . tanh(W_h h + W_x x_i + b)`.
            `"sum"`: `f(h) + g(x_i)` with two feed-forward networks, as stated by Meng et al. The
            softmax over frames cancels f(h), so the weights do not depend on the query.
            `"dot"`: `(W_h h) . (W_x x_i) / sqrt(units)`.
        average: Whether the sum is divided by the number of frames (Meng et al., equation 4).
        unimodality: Weight of the `log_concavity` of the attention weights, added to the model's
            loss as a mean over the batch.

    Call arguments: `values`; optionally `query` (otherwise one learned query is used for all
    videos) and `mask`, (batch, time) with zeros at padded frames. A video without frames gets
    zero weights and a zero context.

    Input shape: values `(batch, time, ..., channels)`, query `(batch, ..., channels)`; the axes
    in between are averaged for the score, and kept in the sum.
    Output: the context `(batch, ..., channels)` and the weights `(batch, time)`, float32, which
    sum to one.

    Raises:
        ValueError: An argument is out of range.

    Example:

    ```python
    context, weights = TemporalSoftAttention(64)(features, query=state)
    ```

    Reference: Bahdanau et al., Neural machine translation by jointly learning to align and
    translate, 2015; Meng et al., Interpretable spatio-temporal attention, 2019, section 3.3.
    """

    def __init__(self, units=512, score="additive", average=False, unimodality=0.0, **kwargs):
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"`score` must be one of {SCORES}. Received: score={score!r}")
        if units < 1:
            raise ValueError(f"`units` must be at least 1. Received: units={units}")
        self.units = units
        self.score = score
        self.average = average
        self.unimodality = unimodality
        self.supports_masking = True

    def build(self, values_shape, query_shape=None):
        channels = values_shape[-1]
        self.has_query = query_shape is not None
        hidden = self.score == "sum"
        self.key_projection = self._dense(
            self.units, "key", channels, activation="tanh" if hidden else None, bias=hidden
        )
        if self.has_query:
            self.query_projection = self._dense(
                self.units,
                "query",
                query_shape[-1],
                activation="tanh" if hidden else None,
                bias=self.score != "dot",
            )
        elif self.score == "dot":
            self.learned_query = self.add_weight(
                name="learned_query", shape=(self.units,), initializer="glorot_uniform"
            )
        elif self.score == "additive":
            self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
        if self.score == "additive":
            self.energy = self._dense(1, "energy", self.units, bias=False)
        if self.score == "sum":
            self.key_energy = self._dense(1, "key_energy", self.units)
            if self.has_query:
                self.query_energy = self._dense(1, "query_energy", self.units)
        self.built = True

    def _dense(self, units, name, channels, activation=None, bias=True):
        layer = keras.layers.Dense(
            units, activation=activation, use_bias=bias, name=name, dtype=self.dtype_policy
        )
        layer.build((None, channels))
        return layer

    def keys(self, values):
        """The keys of the frames for `weigh`, (batch, time, units), computed once per video."""
        keys = self.key_projection(_spatial_mean(values, 2))
        return self.key_energy(keys) if self.score == "sum" else keys

    def query_weights(self):
        """Weights with which a recurrence forms queries: (kernel, bias, vector of the energy)."""
        kernel = ops.convert_to_tensor(self.query_projection.kernel)
        if self.score == "dot":
            bias = ops.zeros((self.units,), kernel.dtype)
            return kernel, bias, bias
        bias = ops.convert_to_tensor(self.query_projection.bias)
        if self.score == "additive":
            return kernel, bias, ops.reshape(self.energy.kernel, (-1,))
        # With "sum", the softmax cancels all of these, so their gradient is zero.
        energy = self.query_energy
        return kernel, bias, ops.reshape(energy.kernel, (-1,)) + energy.bias

    def weigh(self, keys, query=None, mask=None):
        """The weights (batch, time) of the frames with these keys, for a query."""
        if self.has_query:
            query = self.query_projection(_spatial_mean(query, 1))[:, None]
        if self.score == "additive":
            hidden = ops.tanh(keys + (query if self.has_query else self.bias))
            energies = self.energy(hidden)[..., 0]
        elif self.score == "sum":
            energies = keys[..., 0]
            if self.has_query:
                energies = energies + self.query_energy(query)[..., 0]
        else:
            query = query if self.has_query else self.learned_query
            energies = ops.sum(keys * query, axis=-1) / math.sqrt(self.units)
        energies = ops.cast(energies, "float32")
        if mask is None:
            return ops.softmax(energies, axis=-1)
        mask = ops.cast(mask, "float32")
        weights = ops.softmax(energies - 1e9 * (1.0 - mask), axis=-1) * mask
        # If all frames are padding, the weights are zero rather than the result of 0 / 0.
        return weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1e-12)

    def call(self, values, query=None, mask=None):
        weights = self.weigh(self.keys(values), query, mask)
        if self.unimodality:
            self.add_loss(self.unimodality * batch_mean(log_concavity(weights)))
        shape = ops.shape(values)
        flat = ops.reshape(values, (shape[0], shape[1], math.prod(values.shape[2:])))
        context = ops.einsum("bt,btp->bp", ops.cast(weights, flat.dtype), flat)
        if self.average:
            context = context / frame_count(values, mask, context.dtype)
        return ops.reshape(context, (-1, *values.shape[2:])), weights

    def compute_mask(self, values, previous_mask=None):
        return [None, None]

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "score": self.score,
            "average": self.average,
            "unimodality": self.unimodality,
        }


def frame_count(values, mask, dtype):
    """Number of frames that are not padding: a scalar, or (batch, 1) with a mask; at least one."""
    if mask is None:
        return ops.cast(ops.shape(values)[1], dtype)
    count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
    return ops.cast(ops.maximum(count, 1.0), dtype)


def _spatial_mean(x, leading: int):
    axes = tuple(range(leading, len(x.shape) - 1))
    return ops.mean(x, axis=axes) if axes else x
