"""Average a model's predictions for a video and its mirror image."""

from __future__ import annotations

import keras
import numpy as np

from zoo.inference.streaming.stream import Stream


class MirroredStream(Stream):
    """A `Stream` that averages the predictions for the video and its mirror image.

    The mean of two mixtures contains the components of both at half their weight, so `mixture` has
    twice as many components. Inference takes twice the time.

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
        """Forget the video: the next chunk begins a new one."""
        super().reset()
        self._mirror.reset()

    def fit(self, height: int, width: int, frame_rate: float | None = None) -> None:
        """Prepare for a video of this size and rate; see `Stream.fit`."""
        super().fit(height, width, frame_rate)
        self._mirror.fit(height, width, frame_rate)

    def identity(self) -> list:
        """What identifies this model; see `Stream.identity`."""
        return ["mirrored", *super().identity()]

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the next frames (n, height, width, 3); return the outputs completed by them."""
        frames = np.asarray(frames)
        return mirrored_mean(super().push(frames), self._mirror.push(frames[:, :, ::-1]))

    def finish(self) -> dict[str, np.ndarray]:
        """End the video and return the remaining outputs."""
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
