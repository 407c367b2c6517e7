from __future__ import annotations

import math

import keras
from keras import ops

from zoo.layers.saliency.mixture_density import MixtureDensity
from zoo.layers.saliency.saliency_weighting import saliency_weights

CELLS = {"lstm": keras.layers.LSTMCell, "rnn": keras.layers.SimpleRNNCell}


@keras.saving.register_keras_serializable(package="zoo")
class SaliencyFeedback(keras.layers.RNN):
    """A recurrent mixture density network that weights its input by the previous saliency.

    At step t the feature map is multiplied by `floor + (1 - floor) * s`, where s is the saliency
    of step t-1 scaled to a maximum of 1 (1 everywhere at the first step). The recurrent cells
    process the result, and their hidden state gives the mixture of step t.

    Args:
        units: Number of hidden units in each cell.
        num_layers: Number of stacked cells.
        cell: "lstm" or "rnn".
        num_components: Number of Gaussians, C.
        min_sigma: Smallest standard deviation, as a fraction of the frame's side.
        dropout: Dropout rate on the hidden output, with one mask per video; not applied to the
            recurrent connections.
        floor: Weight of positions without saliency, in [0, 1), so that a lost target can be found
            again.
        teacher: Whether the last channel is a map from `TeacherSaliency`. If that map is not all
            zeros, it replaces the saliency of step t-1.
        return_state: As for every recurrent layer; the states are those of the cells, and the
            last saliency.

    Input shape: (batch, time, height, width, channels), with one more channel with `teacher`.

    Output shape: (batch, time, C, 6), float32 under every dtype policy.

    Raises:
        ValueError: An argument is out of range, or the input has another shape.

    Example: `SaliencyFeedback(256)(features)`

    Reference: announced in Bazzani et al., ICLR 2017, section 5; the form is our own.
    """

    def __init__(
        self,
        units: int = 256,
        *,
        num_layers: int = 1,
        cell: str = "lstm",
        num_components: int = 20,
        min_sigma: float = 0.01,
        dropout: float = 0.0,
        floor: float = 0.25,
        teacher: bool = False,
        return_state: bool = False,
        return_sequences: bool = True,
        stateful: bool = False,
        name: str | None = None,
        dtype=None,
        trainable: bool = True,
    ):
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {tuple(CELLS)}. Received: cell={cell!r}")
        if not 0.0 <= floor < 1.0:
            raise ValueError(f"`floor` must be at least 0 and below 1. Received: floor={floor}")
        if num_layers < 1:
            raise ValueError(f"`num_layers` must be at least 1. Received: num_layers={num_layers}")
        if not return_sequences:
            raise ValueError(
                "`return_sequences` must be True, because each step has a mixture. Received: False"
            )
        step = _Step(units, num_layers, cell, num_components, min_sigma, floor, teacher)
        super().__init__(
            step,
            return_sequences=True,
            return_state=return_state,
            stateful=stateful,
            name=name,
            dtype="float32",
            trainable=trainable,
        )
        self.units = units
        self.num_layers = num_layers
        self.cell_type = cell
        self.num_components = num_components
        self.min_sigma = min_sigma
        self.dropout = dropout
        self.floor = floor
        self.teacher = teacher
        self.hidden_dropout = keras.layers.Dropout(dropout, dtype="float32")

    def build(self, sequences_shape, initial_state_shape=None):
        if len(sequences_shape) != 5:
            raise ValueError(
                "The input must be feature maps (batch, time, height, width, channels). "
                f"Received: shape={tuple(sequences_shape)}"
            )
        height, width = sequences_shape[2:4]
        self.cell.places = height * width
        self.state_size = list(self.cell.state_size)
        super().build(sequences_shape, initial_state_shape)

    def get_initial_state(self, batch_size):
        if not self.cell.places:
            raise ValueError("The layer must be built before its initial states are requested.")
        return [ops.zeros((batch_size, size), "float32") for size in self.cell.state_size]

    def call(self, sequences, initial_state=None, mask=None, training=False):
        batch = ops.shape(sequences)[0]
        # One mask for all steps, created before the loop, because a step must not have side
        # effects.
        ones = ops.ones((batch, self.units), "float32")
        self.cell.mask = self.hidden_dropout(ones, training=training)
        results = super().call(sequences, initial_state, mask, training)
        self.cell.mask = None
        flat, *states = results if self.return_state else (results,)
        mixture = ops.reshape(flat, (*ops.shape(flat)[:2], self.num_components, 6))
        return (mixture, *states) if self.return_state else mixture

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch = sequences_shape[0]
        shape = (batch, sequences_shape[1], self.num_components, 6)
        if not self.return_state:
            return shape
        places = math.prod(sequences_shape[2:4])
        return (shape, *((batch, size) for size in (*self.cell.hidden_sizes, places)))

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell_type,
            "num_components": self.num_components,
            "min_sigma": self.min_sigma,
            "dropout": self.dropout,
            "floor": self.floor,
            "teacher": self.teacher,
            "return_state": self.return_state,
            "return_sequences": True,
            "stateful": self.stateful,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


class _Step(keras.layers.Layer):
    """One step of the recurrence; states are those of the cells, and the flattened saliency."""

    def __init__(self, units, num_layers, cell, num_components, min_sigma, floor, teacher):
        super().__init__(dtype="float32", name="step")
        self.cells = [
            CELLS[cell](units, dtype="float32", name=f"cell_{i}") for i in range(num_layers)
        ]
        self.density = MixtureDensity(num_components, min_sigma=min_sigma, name="density")
        self.floor = floor
        self.teacher = teacher
        self.places = 0
        self.mask = None
        self.hidden_sizes = [
            size
            for one in self.cells
            for size in (one.state_size if isinstance(one.state_size, list) else [one.state_size])
        ]
        self.output_size = 6 * num_components

    @property
    def state_size(self):
        return [*self.hidden_sizes, self.places or 1]

    def build(self, input_shape):
        self.places = math.prod(input_shape[1:3])
        channels = self.places * (input_shape[3] - int(self.teacher))
        for one in self.cells:
            one.build((None, channels))
            channels = one.units
        self.density.build((None, channels))
        self.built = True

    def call(self, inputs, states):
        height, width = inputs.shape[1:3]
        seen = ops.reshape(states[-1], (-1, height, width))
        if self.teacher:
            truth = inputs[..., -1]
            inputs = inputs[..., :-1]
            given = ops.any(truth > 0, axis=(1, 2), keepdims=True)
            seen = ops.where(given, truth, seen)
        first = ops.logical_not(ops.any(seen > 0, axis=(1, 2), keepdims=True))
        weights = self.floor + (1.0 - self.floor) * ops.where(first, 1.0, seen)
        x = ops.reshape(inputs * weights[..., None], (-1, self.places * inputs.shape[-1]))
        after, at = [], 0
        for one in self.cells:
            size = len(one.state_size) if isinstance(one.state_size, list) else 1
            x, new = one(x, list(states[at : at + size]))
            after += list(new) if isinstance(new, (list, tuple)) else [new]
            at += size
        mixture = self.density(x if self.mask is None else x * self.mask)
        saliency = saliency_weights(mixture, height, width)
        flat = ops.reshape(mixture, (-1, self.output_size))
        return flat, [*after, ops.reshape(saliency, (-1, self.places))]
