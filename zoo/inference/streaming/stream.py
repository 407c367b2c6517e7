"""A video through a model chunk by chunk, with the values of one call over the whole video."""

from __future__ import annotations

import functools

import keras
import numpy as np

from zoo.inference.streaming.adapt import adapt, compile_for_inference, quiet_retracing
from zoo.inference.streaming.carried import CarriedTrunk
from zoo.inference.streaming.carried_plan import NotCarried, is_pointwise
from zoo.inference.streaming.frame_size import fitting_size
from zoo.inference.streaming.receptive_field import receptive_field
from zoo.layers.projected_lstm import ProjectedLSTM
from zoo.layers.sliding_clips import SlidingClips

NOMINAL_SIZE = fitting_size(9, 16)  # of a model that takes any, until a video is known


class Stream:
    """Feeds a model one video in chunks of any size.

    What the layers still need of earlier frames is carried from chunk to chunk: the state of the
    recurrent layers, and with `dense` the border of every layer that looks at several frames, so
    that no frame passes a layer twice. A model of clips keeps the frames of the next clips. The
    outputs equal those of one call over the whole video, and memory depends on the chunk alone.

    Args:
        model: a functional model whose outputs have one entry a frame, or one for each run of
            `clip_length` frames (`zoo.layers.SlidingClips`): `zoo.rmdn()` in all its forms.
        precision: None computes as the model was built; "float32" or "bfloat16" in that type.
        step: frames that a dense model computes at a time, a multiple of its phases; or 1 for a
            causal model that is to answer every frame at once.
        frame_size: (height, width) of the frames for a model that takes any; `fit` changes it.

    Attributes:
        delay: outputs lag so many frames behind the frames fed, besides those that are gathered
            for a step.
        chunk: frames a push that suit the model.
        missing: the first so many frames have no output.
        trailing: nor have the last so many, here none.

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
        step: int | None = None,
        frame_size: tuple[int, int] = NOMINAL_SIZE,
    ):
        self._built_from = model, precision, step
        self._any_size = len(model.inputs[0].shape) == 5 and None in model.inputs[0].shape[2:4]
        self._prepare(frame_size)

    def _prepare(self, frame_size: tuple[int, int]) -> None:
        model, precision, step = self._built_from
        model = adapt(model, precision=precision, frame_size=frame_size)
        self._model = model
        self._graph = model.to_json()
        recurrent = _recurrent_layers(model)
        clips = [layer for layer in model.layers if isinstance(layer, SlidingClips)]
        if any(layer.stride != 1 for layer in clips):
            raise ValueError(
                "A model that is fed in chunks must slide its clips by one frame. Received: "
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
        """Forget the video: the next chunk is the beginning of another one."""
        self._trunk.reset()
        self._states = list(self._initial)
        self.num_frames = 0

    def fit(self, height: int, width: int) -> None:
        """Get ready for a video of this size, if the model takes frames of any.

        They are given with `zoo.inference.streaming.frame_size.LONG_SIDE` pixels on the longer
        side.
        """
        size = fitting_size(height, width)
        if self._any_size and self.frame_shape[:2] != size:
            self._prepare(size)

    def identity(self) -> list:
        """What tells this model from another one: its graph, its precision and its weights."""
        return [self._graph, *self._model.get_weights()]

    @property
    def held(self) -> int:
        """Frames of the video that are kept at present."""
        return self._trunk.held

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the next frames (n, ...); get the outputs that are complete by now, (m, ...)."""
        frames = np.asarray(frames)
        if frames.shape[1:] != self.frame_shape and None not in self.frame_shape:
            raise ValueError(
                f"Frames must have shape (n, {', '.join(map(str, self.frame_shape))}). "
                f"Received: shape={frames.shape}"
            )
        self.num_frames += len(frames)
        return self._outputs(self._trunk.push(frames))

    def finish(self) -> dict[str, np.ndarray]:
        """The outputs of the last `delay` frames, now that it is known that no frame follows."""
        if self.num_frames <= self.missing:
            raise ValueError(
                f"This model needs at least {self.missing + 1} frames; "
                'initial="pad" repeats the first frame as often as is missing. '
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

    For models of clips, whose features hold nothing that the next clip could use, and for layers
    whose border is not known: the frames around a chunk are computed again with the next.

    Args:
        model: a functional model of (1, time, ...).
        missing: the first so many frames have no output.
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
        self._start = 0  # the frame number of the first frame held
        self._next = self._missing  # the next frame to give an output for

    @property
    def held(self) -> int:
        """Frames kept."""
        return 0 if self._frames is None else len(self._frames)

    def push(self, frames: np.ndarray):
        """Feed frames; get the outputs that are complete, or None."""
        held = frames if self._frames is None else np.concatenate([self._frames, frames])
        self._frames = held
        return self._advance(self._start + len(held) - self.delay)

    def finish(self):
        """The outputs that were still missing, or None."""
        return self._advance(self._start + self.held)

    def _advance(self, stop: int):
        if stop <= self._next:
            return None
        first = max(0, self._next - self._before)
        with quiet_retracing():
            features = self._model.predict_on_batch(self._frames[None, first - self._start :])
        # The first output belongs to frame `first`, or with clips to the last frame of the first
        # clip.
        skip = self._next - first - self._missing
        features = _map(lambda x: x[0, skip : skip + stop - self._next], features)
        self._next = stop
        keep = max(0, self._next - self._before)
        self._frames = self._frames[keep - self._start :].copy()
        self._start = keep
        return features


def _trunk(model, end, step, missing):
    """The model up to `end`, or all of it, carried if its layers allow it."""
    if len(model.inputs) == 1 and (end is not None or len(model.outputs) == 1):
        last = model.outputs[0] if end is None else end
        try:
            return CarriedTrunk(keras.Model(model.inputs[0], last), step=step)
        except NotCarried as error:
            if step is not None:
                raise ValueError(f"`step` is for a dense model. {error}") from error
    return WindowTrunk(keras.Model(model.inputs, model.output if end is None else end), missing)


def _before_recurrence(model, first):
    """The last tensor before the first recurrent layer through which every path leads.

    It is the layer's input, unless something goes around the recurrence.
    """
    tensor = first.input
    while True:
        parents = _parents(tensor)
        if not parents or not _reaches(model, tensor):
            return tensor
        layer = tensor._keras_history.operation
        if len(parents) > 1 or not is_pointwise(layer):
            raise ValueError(
                "A model that is fed in chunks must have one path into its recurrence, or such "
                "as part at layers that look at one frame at a time. "
                f"Received: {layer.name!r} before {first.name!r}"
            )
        tensor = parents[0]


def _leading_output(model) -> str | None:
    """The name of the output that all others are made of; None where there is none."""
    if not isinstance(model.output, dict) or len(model.output) < 2 or len(model.inputs) > 1:
        return None
    return next((name for name, x in model.output.items() if not _reaches(model, x)), None)


def _parents(tensor) -> list:
    layer, index, _ = tensor._keras_history
    return list(layer._inbound_nodes[index].input_tensors)


def _reaches(model, cut) -> bool:
    """Whether the outputs need the inputs in another way than through `cut`."""
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
                "A model that is fed in chunks cannot read the video backwards. "
                f"Received: layer={operation.name!r}"
            )
        if isinstance(operation, keras.layers.RNN):
            found.append(operation)
    return found


def _stateful_head(model, recurrent, start) -> keras.Model:
    """The model from `start` on, with the recurrent layers' states as inputs and outputs."""
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

    # What Keras itself calls a functional model by; `clone_model` takes no further inputs.
    outputs = keras.Model(start, model.output)._run_through_graph(
        features, operation_fn=lambda layer: functools.partial(call, layer)
    )
    inputs = [features, *(state for layer in recurrent for state in before[layer])]
    states = [state for layer in recurrent for state in after[layer]]
    return compile_for_inference(keras.Model(inputs, [outputs, states]))
