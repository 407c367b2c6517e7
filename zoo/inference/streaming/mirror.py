"""Average a model's predictions for a video and its mirror image."""

from __future__ import annotations

import keras
import numpy as np

from zoo.inference.streaming.averaging import AVERAGED, mean_outputs, unmirrored
from zoo.inference.streaming.stream import Stream


class MirroredStream(Stream):
    """A `Stream` that averages the predictions for the video and its mirror image.

    The mean of two mixtures contains the components of both at half their weight, so `mixture` has
    twice as many components. Inference takes twice the time.

    Args:
        model: a model with no other outputs than "log_density" and "mixture", such as
            `zoo.general_saliency()` or `zoo.rmdn()`.
        precision: see `Stream`.

    Example: `zoo.predict(MirroredStream(model), "clip.mp4")`
    """

    def __init__(self, model: keras.Model, *, precision: str | None = None):
        self._mirror = Stream(model, precision=precision)
        super().__init__(model, precision=precision)
        require_mirrorable(self.output_names)

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
        mirrored = self._mirror.push(frames[:, :, ::-1])
        return mean_outputs([super().push(frames), unmirrored(mirrored)])

    def finish(self) -> dict[str, np.ndarray]:
        """End the video and return the remaining outputs."""
        return mean_outputs([super().finish(), unmirrored(self._mirror.finish())])


def require_mirrorable(outputs) -> None:
    """Raise an error unless a mean with the mirror image is defined for these outputs."""
    if not outputs or not set(outputs) <= set(AVERAGED):
        raise ValueError(
            "`mirror` needs a model with no other outputs than 'log_density' and 'mixture'. "
            f"Received: the outputs {sorted(outputs)}"
        )
