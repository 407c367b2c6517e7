"""Run a joint model over a video: saliency for every frame, one action for the whole video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from zoo.datasets.video.reading import Video
from zoo.inference.streaming.adapt import adapt, compile_for_inference, quiet_retracing
from zoo.inference.streaming.receptive_field import receptive_field
from zoo.inference.streaming.saliency_outputs import output_names
from zoo.layers.saliency.saliency_weighting import SaliencyWeighting
from zoo.layers.sliding_clips import SlidingClips

CHUNK = 32  # steps per model call
STEPS = "steps"  # the layer at which the model is split, see `zoo.joint`


def is_joint(model) -> bool:
    """Whether a model predicts saliency and action and can be split at the layer `STEPS`."""
    if not isinstance(model, keras.Model):
        return False
    cut = any(layer.name == STEPS for layer in model.layers)
    return cut and {"mixture", "action"} <= set(output_names(model))


def saliency_part(model: keras.Model) -> keras.Model:
    """The part of a joint model that predicts the mixtures; it shares the model's weights."""
    if len(model.inputs) > 1:
        raise ValueError(
            "A model with teacher forcing can only be trained; to predict, copy its weights into a "
            "model built without teacher forcing. "
            f"Received: inputs {[tensor.name for tensor in model.inputs]}"
        )
    return keras.Model(model.inputs, {"mixture": model.output["mixture"]}, name=model.name)


class ActionPass:
    """Predicts the action of a video, chunk by chunk, from its frames and known mixtures.

    Args:
        model: a joint model with frames as input.
        precision: "float32", "bfloat16" or "float16"; None: the precision the model was built with.

    Example: `ActionPass(model)(frames, mixtures)`
    """

    def __init__(self, model: keras.Model, *, precision: str | None = None):
        # Splitting a graph changes its layers' nodes, so the model could not be saved: use a copy.
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        model = adapt(copy, precision=precision)
        self._weighting = [la for la in model.layers if isinstance(la, SaliencyWeighting)]
        steps = model.get_layer(STEPS)
        inputs, body = list(model.inputs), keras.Model(model.inputs, steps.output)
        if self._weighting:
            body = keras.Model([*inputs, model.output["mixture"]], steps.output)
            # Any number of Gaussians: a prediction with `mirror` has twice as many as the model.
            inputs.append(keras.Input((None, None, 6), name="mixtures"))
            outputs = body._run_through_graph(inputs, operation_fn=lambda layer: layer)
            body = keras.Model(inputs, outputs)
        self._body = compile_for_inference(body)
        tail = {name: value for name, value in model.output.items() if name != "mixture"}
        self._tail = compile_for_inference(keras.Model(steps.output, tail))
        clips = [layer for layer in model.layers if isinstance(layer, SlidingClips)]
        self.missing = clips[0].clip_length - 1 if clips else 0
        context = keras.Model(model.inputs, model.get_layer("context").output)
        self._before, self._after = (0, 0) if clips else receptive_field(context)
        # In clip mode the frames are weighted by saliency; otherwise the features, one per step.
        self._by_frame = bool(self._weighting) and (
            tuple(self._weighting[0].input[0].shape[2:]) == tuple(model.inputs[0].shape[2:])
        )
        self.frame_shape = tuple(model.inputs[0].shape[2:])

    def __call__(
        self, pieces: Iterator[np.ndarray], mixtures: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the class probabilities (classes,) and one value per step (steps,).

        These are `JointPrediction.action` and `JointPrediction.temporal`.

        Args:
            pieces: the video's frames in order, in arrays (n, height, width, 3).
            mixtures: (steps, C, 6), one per frame, with any C; a clip model has none for the first
                15 frames.
        """
        held, start, done, found = None, 0, 0, []
        total = len(mixtures)
        for piece in pieces:
            held = piece if held is None else np.concatenate([held, piece])
            while start + len(held) >= min(done + CHUNK, total) + self.missing + self._after:
                stop = min(done + CHUNK, total)
                if stop == done or start + len(held) < stop + self.missing + self._after:
                    break
                found.append(self._steps(held, start, done, stop, mixtures))
                done = stop
                keep = max(0, done - self._before)
                held, start = held[keep - start :], keep
        while held is not None and done < total:
            stop = min(done + CHUNK, total)
            if start + len(held) < stop + self.missing:
                break
            found.append(self._steps(held, start, done, stop, mixtures))
            done = stop
        if done < total:
            raise ValueError(
                "Saliency and video must have the same length. "
                f"Received: {total} mixtures, {done} of them with frames"
            )
        steps = np.concatenate(found)
        with quiet_retracing():
            whole = self._tail.predict_on_batch(steps[None])
            action = np.asarray(whole["action"])[0]
            if "temporal_attention" in whole:
                return action, np.asarray(whole["temporal_attention"])[0]
            alone = self._tail.predict_on_batch(steps[:, None])
        return action, np.asarray(alone["action"])[:, int(action.argmax())]

    def _steps(self, held, start, first, stop, mixtures):
        """The features of steps `first` to `stop`; `held` begins with frame `start`."""
        low = max(start, first - self._before)
        high = min(start + len(held), stop + self.missing + self._after)
        frames = held[low - start : high - start][None]
        inputs = [frames]
        if self._weighting:
            if self._by_frame:
                numbers = np.arange(low, high) - self.missing
            else:
                numbers = np.arange(low, high - self.missing)
            inputs.append(mixtures[np.clip(numbers, 0, len(mixtures) - 1)][None])
        with quiet_retracing():
            found = self._body.predict_on_batch(inputs if len(inputs) > 1 else frames)
        return np.asarray(found)[0, first - low : stop - low]


def video_action(
    action_pass: ActionPass, video: Video, mixtures: np.ndarray, padded: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Apply `ActionPass` to a video preceded by `padded` copies of its first frame."""

    def pieces():
        some = []
        for number, frame in enumerate(video.frames(size=action_pass.frame_shape[:2])):
            some += [frame] * (1 + (padded if number == 0 else 0))
            if len(some) >= CHUNK:
                yield np.stack(some)
                some = []
        if some:
            yield np.stack(some)

    return action_pass(pieces(), mixtures)


def check_classes(classes: Sequence[str] | None, model: keras.Model) -> tuple[str, ...] | None:
    """Return the class names after checking that there is one per class of the model."""
    count = model.output["action"].shape[-1]
    if classes is not None and len(classes) != count:
        raise ValueError(
            f"`classes` must have one name for each of the model's {count} actions. "
            f"Received: {len(classes)} names"
        )
    return None if classes is None else tuple(classes)
