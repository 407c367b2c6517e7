"""A video through a model chunk by chunk, with the values of one call over the whole video."""

from __future__ import annotations

import keras
import numpy as np

from zoo.inference.adapt import adapt, compile_for_inference, quiet_retracing
from zoo.inference.receptive_field import receptive_field
from zoo.layers.sliding_clips import SlidingClips


class Stream:
    """Feeds a model one video in chunks of any size.

    The state of the recurrent layers, and the frames that the next outputs still need, are
    carried from chunk to chunk. So the outputs equal those of one call over the whole video,
    and memory depends on the chunk alone.

    Args:
        model: a functional model whose outputs have one entry a frame, or one for each run of
            `clip_length` frames (`zoo.layers.SlidingClips`): `zoo.rmdn()` in all its forms.
        precision: None computes as the model was built; "float32" or "bfloat16" in that type.

    Attributes:
        delay: outputs lag so many frames behind the frames fed.
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

    def __init__(self, model: keras.Model, *, precision: str | None = None):
        model = adapt(model, precision=precision)
        self._model = model
        self._graph = model.to_json()
        recurrent = _recurrent_layers(model)
        clips = [layer for layer in model.layers if isinstance(layer, SlidingClips)]
        if any(layer.stride != 1 for layer in clips):
            raise ValueError(
                "A model that is fed in chunks must slide its clips by one frame. Received: "
                f"stride={clips[0].stride}"
            )
        end = recurrent[0].input if recurrent else model.output
        self._trunk = compile_for_inference(keras.Model(model.inputs, end))
        self._before, self.delay = receptive_field(self._trunk)
        self.missing = sum(layer.clip_length - 1 for layer in clips)
        self._head = _stateful_head(model, recurrent) if recurrent else None
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
        self._frames = None
        self._start = 0  # the frame number of the first frame held
        self._next = self.missing  # the next frame to give an output for
        self._states = list(self._initial)

    def identity(self) -> list:
        """What tells this model from another one: its graph, its precision and its weights."""
        return [self._graph, *self._model.get_weights()]

    @property
    def num_frames(self) -> int:
        """Frames fed so far."""
        return self._start + (0 if self._frames is None else len(self._frames))

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the next frames (n, ...); get the outputs that are complete by now, (m, ...)."""
        frames = np.asarray(frames)
        if frames.shape[1:] != self.frame_shape and None not in self.frame_shape:
            raise ValueError(
                f"Frames must have shape (n, {', '.join(map(str, self.frame_shape))}). "
                f"Received: shape={frames.shape}"
            )
        held = frames if self._frames is None else np.concatenate([self._frames, frames])
        self._frames = held
        return self._advance(self.num_frames - self.delay)

    def finish(self) -> dict[str, np.ndarray]:
        """The outputs of the last `delay` frames, now that it is known that no frame follows."""
        if self.num_frames <= self.missing:
            raise ValueError(
                f"This model needs at least {self.missing + 1} frames; "
                'initial="pad" repeats the first frame as often as is missing. '
                f"Received: {self.num_frames} frames"
            )
        return self._advance(self.num_frames)

    def _advance(self, stop: int) -> dict[str, np.ndarray]:
        if stop <= self._next:
            return {}
        first = max(0, self._next - self._before)
        with quiet_retracing():
            features = self._trunk.predict_on_batch(self._frames[None, first - self._start :])
        # The trunk's first output belongs to frame `first`, or with clips to the last frame of
        # the first clip.
        skip = self._next - first - self.missing
        features = _map(lambda x: x[:, skip : skip + stop - self._next], features)
        if self._head is None:
            outputs = features
        else:
            with quiet_retracing():
                outputs, self._states = self._head.predict_on_batch([features, *self._states])
        self._next = stop
        keep = max(0, self._next - self._before)
        self._frames = self._frames[keep - self._start :].copy()
        self._start = keep
        outputs = outputs if isinstance(outputs, dict) else {"output": outputs}
        return {name: np.asarray(value)[0] for name, value in outputs.items()}


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


def _stateful_head(model, recurrent) -> keras.Model:
    """The model from its first recurrent layer on, with states as inputs and outputs."""
    shape = recurrent[0].input.shape
    features = keras.Input((None, *shape[2:]), dtype=recurrent[0].input.dtype, name="features")
    x, inputs, states = features, [features], []
    for index, layer in enumerate(recurrent):
        config = {**layer.get_config(), "return_sequences": True, "return_state": True}
        twin = type(layer).from_config({**config, "stateful": False})
        initial = [
            keras.Input(tuple(state.shape[1:]), name=f"{layer.name}_state_{k}")
            for k, state in enumerate(_as_list(layer.get_initial_state(batch_size=1)))
        ]
        inputs += initial
        x, *after = twin(x, initial_state=initial)
        twin.set_weights(layer.get_weights())
        states += after
        following = recurrent[index + 1].input if index + 1 < len(recurrent) else model.output
        if following is not layer.output:
            x = keras.Model(layer.output, following)(x)
    return compile_for_inference(keras.Model(inputs, [x, states]))
