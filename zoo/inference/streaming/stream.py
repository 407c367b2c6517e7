"""Run a model over a video in chunks, with the same outputs as one call on the whole video."""

from __future__ import annotations

import functools

import keras
import numpy as np

from zoo.inference.streaming.adapt import (
    adapt,
    compile_for_inference,
    frame_rates,
    quiet_retracing,
    video_sides,
)
from zoo.inference.streaming.carried import CarriedTrunk
from zoo.inference.streaming.carried_plan import NotCarried, is_pointwise
from zoo.inference.streaming.frame_size import fitting_size, side_of_video
from zoo.inference.streaming.receptive_field import receptive_field
from zoo.layers.projected_lstm import ProjectedLSTM
from zoo.layers.sliding_clips import SlidingClips

NOMINAL_SIZE = fitting_size(9, 16)  # initial frame size of a model that accepts any


class Stream:
    """Feeds a model one video in chunks of any size.

    What the layers still need from earlier frames is carried from chunk to chunk: the states of the
    recurrent layers and, in dense models, the last input frames of every layer with a temporal
    window, so that no frame passes through a layer twice. For a clip model, the frames needed for
    the next clips are kept. The outputs equal those of one call on the whole video, and memory
    usage depends only on the chunk size.

    Args:
        model: a functional model whose outputs have one entry per frame, or one per sliding clip of
            `clip_length` frames (`zoo.layers.SlidingClips`), such as any variant of `zoo.rmdn()`.
        precision: "float32" or "bfloat16"; None: the precision the model was built with.
        step: frames that a dense model processes at a time: a multiple of its number of phases, or
            1 to get each frame's output immediately from a causal model; "least": 1 if the model
            is causal.
        frame_size: (height, width) for a model that accepts any frame size; `fit` changes it.
        frame_rate: frames per second, for a model whose memory depends on it; `fit` changes it.
        video_side: see `zoo.layers.GazeScatter`; `fit` changes it.

    Attributes:
        delay: number of frames by which the outputs lag behind the frames fed, in addition to
            frames waiting for a full step.
        chunk: recommended number of frames per push.
        missing: number of initial frames without output.
        trailing: number of final frames without output: always 0 here.

    Example:

    ```python
    stream = Stream(model)
    for chunk in chunks:                         # (n, height, width, 3)
        mixture = stream.push(chunk)["mixture"]  # (m, C, 6), m may differ from n
    mixture = stream.finish()["mixture"]
    ```
    """

    trailing = 0

    def __init__(
        self,
        model: keras.Model,
        *,
        precision: str | None = None,
        step: int | str | None = None,
        frame_size: tuple[int, int] = NOMINAL_SIZE,
        frame_rate: float | None = None,
        video_side: int | None = None,
    ):
        self._built_from = model, precision, step
        self._any_size = len(model.inputs[0].shape) == 5 and None in model.inputs[0].shape[2:4]
        # What the model was built for, if it depends on it.
        self._rate = min(frame_rates(model), default=None)
        self._side = min(video_sides(model), default=None)
        self._fitted: tuple | None = None
        self._fit(frame_size, frame_rate, video_side)

    def _fit(self, size: tuple[int, int], rate: float | None, side: int | None) -> None:
        """Build the model for these facts, of those that it depends on, unless it is already."""
        facts = (
            size if self._any_size else None,
            (rate or self._rate) if self._rate else None,
            (side or self._side) if self._side else None,
        )
        if facts != self._fitted:
            self._prepare(*facts)
            self._fitted = facts

    def _prepare(self, size, rate, side) -> None:
        model, precision, step = self._built_from
        model = adapt(model, precision=precision, frame_size=size, frame_rate=rate, video_side=side)
        self._model = model
        recurrent = _recurrent_layers(model)
        clips = [layer for layer in model.layers if isinstance(layer, SlidingClips)]
        if any(layer.stride != 1 for layer in clips):
            raise ValueError(
                "A model that is run in chunks must slide its clips by one frame. Received: "
                f"stride={clips[0].stride}"
            )
        self.missing = sum(layer.clip_length - 1 for layer in clips)
        self._leading = None if recurrent else _leading_output(model)
        if recurrent:
            end = _before_recurrence(model, recurrent[0])
        else:
            end = None if self._leading is None else model.output[self._leading]
        self._trunk = _trunk(model, end, step, self.missing)
        self.delay = self._trunk.delay
        self.chunk = self._trunk.chunk
        self._head = None
        if recurrent:
            self._head = _stateful_head(model, recurrent, end)
        elif end is not None:
            others = {k: v for k, v in model.output.items() if k != self._leading}
            self._head = compile_for_inference(keras.Model(end, others))
        self._initial = [
            keras.ops.convert_to_numpy(state)
            for layer in recurrent
            for state in _as_list(layer.get_initial_state(batch_size=1))
        ]
        shape = model.inputs[0].shape
        self.frame_shape = tuple(shape[2:])
        self.output_names = tuple(model.output) if isinstance(model.output, dict) else ("output",)
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next chunk begins a new one."""
        self._trunk.reset()
        self._states = list(self._initial)
        self.num_frames = 0

    def fit(self, height: int, width: int, frame_rate: float | None = None) -> None:
        """Prepare for a video of this size and rate, if the model depends on them.

        Frames for a model that accepts any size are scaled, see
        `zoo.inference.streaming.frame_size.fitting_size`. A memory in seconds (see
        `zoo.layers.TrailingMean`) gets the video's number of frames, and a blur in pixels (see
        `zoo.layers.GazeScatter`) the video's size.

        Args:
            height: of the video's frames.
            width: of the video's frames.
            frame_rate: frames per second; None if unknown.
        """
        self._fit(fitting_size(height, width), frame_rate, side_of_video(height, width))

    def identity(self) -> list:
        """What identifies this model: its graph (with its precision) and weights."""
        return [self._model.to_json(), *self._model.get_weights()]

    @property
    def held(self) -> int:
        """Number of frames currently kept."""
        return self._trunk.held

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the next frames (n, ...); return the outputs completed by them, (m, ...)."""
        frames = np.asarray(frames)
        if frames.shape[1:] != self.frame_shape and None not in self.frame_shape:
            raise ValueError(
                f"Frames must have shape (n, {', '.join(map(str, self.frame_shape))}). "
                f"Received: shape={frames.shape}"
            )
        self.num_frames += len(frames)
        return self._outputs(self._trunk.push(frames))

    def finish(self) -> dict[str, np.ndarray]:
        """End the video and return the remaining outputs."""
        if self.num_frames <= self.missing:
            raise ValueError(
                f"This model needs at least {self.missing + 1} frames; "
                'initial="pad" fills in for missing ones with copies of the first. '
                f"Received: {self.num_frames} frames"
            )
        return self._outputs(self._trunk.finish())

    def _outputs(self, features) -> dict[str, np.ndarray]:
        if features is None:
            return {}
        features = _map(lambda x: x[None], features)
        if self._head is None:
            outputs = features
        elif self._leading is not None:
            with quiet_retracing():
                outputs = {self._leading: features, **self._head.predict_on_batch(features)}
        else:
            with quiet_retracing():
                outputs, self._states = self._head.predict_on_batch([features, *self._states])
        if not isinstance(outputs, dict):
            outputs = {self.output_names[0]: outputs}
        return {name: np.asarray(value)[0] for name, value in outputs.items()}


class WindowTrunk:
    """Runs a model over a video in chunks, keeping the frames that the next outputs need.

    For clip models, whose features cannot be reused for the next clip, and for models with layers
    that `CarriedTrunk` does not support: the frames around a chunk are recomputed with the next.

    Args:
        model: a functional model with the input shape (1, time, ...).
        missing: number of initial frames without output.
    """

    def __init__(self, model: keras.Model, missing: int):
        self._model = compile_for_inference(model)
        self._before, self.delay = receptive_field(model)
        self._missing = missing
        self.chunk = 96 if self.delay or not missing else 16
        self.reset()

    def reset(self) -> None:
        """Forget the video."""
        self._frames = None
        self._start = 0  # number of the first frame kept
        self._next = self._missing  # number of the next frame that gets an output

    @property
    def held(self) -> int:
        """Number of frames currently kept."""
        return 0 if self._frames is None else len(self._frames)

    def push(self, frames: np.ndarray):
        """Feed frames; return the outputs completed by them, or None."""
        held = frames if self._frames is None else np.concatenate([self._frames, frames])
        self._frames = held
        return self._advance(self._start + len(held) - self.delay)

    def finish(self):
        """End the video and return the remaining outputs, or None."""
        return self._advance(self._start + self.held)

    def _advance(self, stop: int):
        if stop <= self._next:
            return None
        first = max(0, self._next - self._before)
        with quiet_retracing():
            features = self._model.predict_on_batch(self._frames[None, first - self._start :])
        # The first output belongs to frame `first` or, for clip models, to the last frame of the
        # first clip.
        skip = self._next - first - self._missing
        features = _map(lambda x: x[0, skip : skip + stop - self._next], features)
        self._next = stop
        keep = max(0, self._next - self._before)
        self._frames = self._frames[keep - self._start :].copy()
        self._start = keep
        return features


def _trunk(model, end, step, missing):
    """The model up to `end` (None: all of it), as a `CarriedTrunk` if its layers allow it."""
    if len(model.inputs) == 1 and (end is not None or len(model.outputs) == 1):
        last = model.outputs[0] if end is None else end
        try:
            return CarriedTrunk(keras.Model(model.inputs[0], last), step=step)
        except NotCarried as error:
            if isinstance(step, int):
                raise ValueError(f"`step` is for a dense model. {error}") from error
    return WindowTrunk(keras.Model(model.inputs, model.output if end is None else end), missing)


def _before_recurrence(model, first):
    """The last tensor before the first recurrent layer that every path passes through.

    It is the layer's input, unless some path bypasses the recurrence.
    """
    tensor = first.input
    while True:
        parents = _parents(tensor)
        if not parents or not _reaches(model, tensor):
            return tensor
        layer = tensor._keras_history.operation
        if len(parents) > 1 or not is_pointwise(layer):
            raise ValueError(
                "A model that is run in chunks must have one path into its recurrent layers, or "
                "paths that split at layers that process each frame separately. "
                f"Received: {layer.name!r} before {first.name!r}"
            )
        tensor = parents[0]


def _leading_output(model) -> str | None:
    """The name of the output that all others are computed from; None if there is none."""
    if not isinstance(model.output, dict) or len(model.output) < 2 or len(model.inputs) > 1:
        return None
    return next((name for name, x in model.output.items() if not _reaches(model, x)), None)


def _parents(tensor) -> list:
    layer, index, _ = tensor._keras_history
    return list(layer._inbound_nodes[index].input_tensors)


def _reaches(model, cut) -> bool:
    """Whether any path from the inputs to the outputs bypasses `cut`."""
    waiting, seen = keras.tree.flatten(model.output), {id(cut)}
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        parents = _parents(tensor)
        if not parents:
            return True
        waiting += parents
    return False


def _map(function, values):
    if isinstance(values, dict):
        return {name: function(value) for name, value in values.items()}
    return function(values)


def _as_list(values) -> list:
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _recurrent_layers(model) -> list:
    found = []
    for operation in model.operations:  # in the order of computation
        if isinstance(operation, keras.layers.Bidirectional) or getattr(
            operation, "go_backwards", False
        ):
            raise ValueError(
                "A model that is run in chunks cannot read the video backwards. "
                f"Received: layer={operation.name!r}"
            )
        if isinstance(operation, keras.layers.RNN):
            found.append(operation)
    return found


def _stateful_head(model, recurrent, start) -> keras.Model:
    """The model from `start` to its outputs, with recurrent states as inputs and outputs."""
    features = keras.Input((None, *start.shape[2:]), dtype=start.dtype, name="features")
    before, after = {}, {}
    for layer in recurrent:
        before[layer] = [
            keras.Input(tuple(state.shape[1:]), name=f"{layer.name}_state_{k}")
            for k, state in enumerate(_as_list(layer.get_initial_state(batch_size=1)))
        ]

    def call(layer, *arguments, **options):
        if layer not in before:
            return layer(*arguments, **options)
        config = {**layer.get_config(), "return_sequences": True, "return_state": True}
        kind = ProjectedLSTM if type(layer) is keras.layers.LSTM else type(layer)
        twin = kind.from_config({**config, "stateful": False})
        x, *after[layer] = twin(arguments[0], initial_state=before[layer])
        twin.set_weights(layer.get_weights())
        return x

    # Keras's own way of calling a functional model; `clone_model` cannot add inputs.
    outputs = keras.Model(start, model.output)._run_through_graph(
        features, operation_fn=lambda layer: functools.partial(call, layer)
    )
    inputs = [features, *(state for layer in recurrent for state in before[layer])]
    states = [state for layer in recurrent for state in after[layer]]
    return compile_for_inference(keras.Model(inputs, [outputs, states]))
