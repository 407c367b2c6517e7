"""A video and its mirror image through one model, averaged."""

from __future__ import annotations

import keras
import numpy as np

from zoo.inference.streaming.stream import Stream


class MirroredStream(Stream):
    """A `Stream` that also feeds the model the video's mirror image, and gives the mean of both.

    The mean of two mixtures is the mixture of all their components, half the weight each:
    `mixture` has twice the components. It takes twice the time.

    Args:
        model: a model whose only output is "mixture" (..., C, 6), or `zoo.rmdn()`.
        precision: see `Stream`.

    Example: `zoo.predict(MirroredStream(model), "clip.mp4")`
    """

    def __init__(self, model: keras.Model, *, precision: str | None = None):
        self._mirror = Stream(model, precision=precision)
        super().__init__(model, precision=precision)
        if self.output_names != ("mixture",):
            raise ValueError(
                "A mirrored prediction needs a model whose only output is 'mixture'. Received: "
                f"the outputs {sorted(self.output_names)}"
            )

    def reset(self) -> None:
        """Forget the video: the next chunk is the beginning of another one."""
        super().reset()
        self._mirror.reset()

    def identity(self) -> list:
        """What tells this model from another one."""
        return ["mirrored", *super().identity()]

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the next frames (n, height, width, 3); get the outputs that are complete."""
        frames = np.asarray(frames)
        return mirrored_mean(super().push(frames), self._mirror.push(frames[:, :, ::-1]))

    def finish(self) -> dict[str, np.ndarray]:
        """The outputs of the last frames."""
        return mirrored_mean(super().finish(), self._mirror.finish())


def mirrored_mean(outputs: dict, mirrored: dict) -> dict[str, np.ndarray]:
    """The mean of the mixtures of a video and of its mirror image."""
    if not outputs:
        return outputs
    first, second = outputs["mixture"], mirrored["mixture"].copy()
    second[..., 1] = 1 - second[..., 1]
    second[..., 5] *= -1  # the correlation of x and y
    parts = []
    for mixture in (first, second):
        logits = mixture[..., :1].astype(np.float32)
        logits = logits - np.logaddexp.reduce(logits, axis=-2, keepdims=True)
        parts.append(np.concatenate([logits, mixture[..., 1:]], axis=-1))
    return {"mixture": np.concatenate(parts, axis=-2)}
