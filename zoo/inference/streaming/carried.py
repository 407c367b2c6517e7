"""Run a model over a whole video in steps, carrying what its layers need instead of recomputing it.

A layer with a temporal window of k frames needs the last k - 1 frames of its own input when the
next frames arrive. Each such layer keeps them here (its border), so that every frame passes through
every layer exactly once. The first step pads on the left, as the layer does at the video's
beginning, and the last step pads on the right. In between there is no padding at all: the output of
a layer that looks ahead simply lags.
"""

from __future__ import annotations

import keras
import numpy as np

from zoo.inference.streaming.adapt import compile_for_inference, quiet_retracing
from zoo.inference.streaming.carried_plan import Plan
from zoo.inference.streaming.carried_step import Carry, Step

STEP = 32  # default number of frames per step
MOST_PIXELS = STEP * 112 * 112  # default maximum per step, over all its frames
# For a network of single frames, which gains little from larger steps: less memory.
MOST_PIXELS_OF_FRAMES = 4 * 192 * 320
OVER_TIME = ("conv", "pool", "max")  # operations of a plan that larger steps make cheaper


class CarriedTrunk:
    """Runs a model with one output per frame over a video in steps, carrying its layers' borders.

    Args:
        model: a functional model from (1, time, ...) to (1, time, ...).
        step: frames per step: a multiple of the model's number of phases (8 for C3D, 4 for I3D),
            or 1 to get each frame's output immediately from a causal model; None: 32, or fewer
            if the frames are large or the network has no convolution over time; "least": 1 if
            the model is causal, else as None.

    Attributes:
        delay: number of frames by which the outputs lag behind the frames fed.

    Raises:
        NotCarried: the model has a layer whose border is not known.

    Example:

    ```python
    trunk = CarriedTrunk(zoo.backbones.c3d(dense=True), step=32)
    for chunk in chunks:
        features = trunk.push(chunk)  # (n, ...): n = 0 until `delay` frames have been fed
    features = trunk.finish()
    ```
    """

    def __init__(self, model: keras.Model, *, step: int | str | None = None):
        plan = Plan(model)
        self.model = compile_for_inference(keras.Model(model.inputs[0], model.outputs[0]))
        self.delay = plan.output.delay
        self.phases = plan.phases
        if step == "least":
            step = None if self.delay else 1
        if step is None:
            step = _default_step(model.inputs[0].shape[2:4], plan)
        if step < 1 or (step % plan.phases and (step > 1 or self.delay)):
            raise ValueError(
                f"`step` must be a multiple of the model's {plan.phases} phases"
                f"{'' if self.delay else ', or 1'}. Received: step={step}"
            )
        self.step = self.chunk = step
        single = step == 1
        self._carry = Carry(plan.carries, single)
        self._steady = Step(model, plan, self._carry, "steady", single)
        # A length for which every layer's frames divide evenly into its phases.
        self._first = self.step
        if self.delay:
            self._first = plan.fitting(max(self.step, plan.least, self.delay + plan.phases), -1)
            self._start = Step(model, plan, self._carry, "start", single)
            self._final = Step(model, plan, self._carry, "final", single)
        self._plan = plan
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next frames begin a new one."""
        self._held: list[np.ndarray] = []
        self.held = 0  # frames waiting for a full step
        self._running = not self.delay
        self._carry.reset()

    def push(self, frames: np.ndarray) -> np.ndarray | None:
        """Feed frames (n, ...); return the outputs completed by them, (m, ...), or None."""
        if len(frames):
            self._held.append(np.ascontiguousarray(frames))
            self.held += len(frames)
        results = []
        while self.held >= (self.step if self._running else self._first):
            model = self._steady if self._running else self._start
            taken = self._take(self.step if self._running else self._first)
            results.append(_run(model, taken))
            self._running = True
        return _join(results)

    def finish(self) -> np.ndarray | None:
        """End the video and return the remaining outputs, or None."""
        rest = self._take(self.held)
        if not self._running:  # a video shorter than the first step: run the original model
            return _run(self.model, rest) if len(rest) else None
        if not self.delay:  # causal: frames appended at the end do not affect earlier outputs
            return _run(self._steady, _filled(rest, self.step))[: len(rest)] if len(rest) else None
        count = len(rest)
        length = self._plan.fitting(max(count, 1), +1)
        if not count:
            rest = np.zeros((1, *self.model.input_shape[2:]), np.uint8)
        out = _run(self._final, [_filled(rest, length)[None], np.array([[count]], np.int32)])
        return out[: count + self.delay]

    def _take(self, count: int) -> np.ndarray:
        if not count:
            return np.zeros((0,))
        held = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held = [held[count:].copy()] if len(held) > count else []
        self.held -= count
        return held[:count]


def _default_step(frame_size, plan: Plan) -> int:
    """Frames per step, a multiple of the phases, whose activations fit into a few hundred MB."""
    over_time = any(node.kind in OVER_TIME for node in plan.nodes)
    most = MOST_PIXELS if over_time else MOST_PIXELS_OF_FRAMES
    fitting = max(1, most // int(np.prod(frame_size)))
    return max(plan.phases, min(STEP, fitting) // plan.phases * plan.phases)


def _run(model, frames):
    if isinstance(frames, np.ndarray):
        frames = frames[None]
    with quiet_retracing():
        return np.asarray(model.predict_on_batch(frames))[0]


def _filled(frames: np.ndarray, length: int) -> np.ndarray:
    if len(frames) == length:
        return frames
    return np.concatenate(
        [frames, np.zeros((length - len(frames), *frames.shape[1:]), frames.dtype)]
    )


def _join(parts: list[np.ndarray]) -> np.ndarray | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
