"""Predict single pictures with a model that accepts any frame size."""

from __future__ import annotations

import keras
import numpy as np

from zoo.datasets.video.source import resize
from zoo.inference.streaming.adapt import adapt, compiled_copy
from zoo.inference.streaming.averaging import AVERAGED, mean_outputs, unmirrored
from zoo.inference.streaming.frame_size import PICTURE_SIDES, fitting_size

FEW = 8  # tracing graphs of two sizes takes as long as this many pictures take without graphs


class PictureStream:
    """Predicts a picture as the mean over two sizes and the mirror image.

    With the time for a single frame, the four predictions cost little, and details of different
    sizes are seen. It has the interface of a `Stream`, for videos of one frame.

    Args:
        model: a model of any frame size with the output "log_density", and perhaps "mixture",
            such as `zoo.general_saliency()`.
        precision: see `Stream`.

    Example: `zoo.predict("photo.jpg", model)` uses it.
    """

    missing = trailing = delay = 0
    chunk = 1

    def __init__(self, model: keras.Model, *, precision: str | None = None):
        self._model = compiled_copy(adapt(model, precision=precision))
        self.output_names = tuple(model.output)
        self._done = 0
        self.fit(*PICTURE_SIDES)

    def fit(self, height: int, width: int, frame_rate: float | None = None) -> None:
        """Prepare for a picture of this size; a picture has no frame rate."""
        self._sizes = [fitting_size(height, width, side) for side in PICTURE_SIDES]
        self.frame_shape = (*self._sizes[0], 3)
        self.reset()

    def reset(self) -> None:
        """Forget the picture."""
        self._frames = []

    def push(self, frames: np.ndarray) -> dict[str, np.ndarray]:
        """Feed the picture (1, height, width, 3); its prediction comes with `finish`."""
        self._frames += list(frames)
        return {}

    def finish(self) -> dict[str, np.ndarray]:
        """Return the outputs of the picture."""
        (frame,) = self._frames
        found = []
        for size in self._sizes:
            image = resize(frame, size)
            outputs = self._call(np.stack([image, image[:, ::-1]])[:, None])
            found.append({name: np.asarray(value)[0] for name, value in outputs.items()})
            found.append(unmirrored({n: np.asarray(value)[1] for n, value in outputs.items()}))
        self._done += 1
        return mean_outputs(found)

    def _call(self, frames: np.ndarray) -> dict:
        if self._done >= FEW:
            return self._model.predict_on_batch(frames)
        outputs = self._model(frames, training=False)
        return {name: keras.ops.convert_to_numpy(value) for name, value in outputs.items()}


def takes_pictures(model) -> bool:
    """Whether a model accepts any frame size and predicts log densities."""
    shape = model.inputs[0].shape if len(getattr(model, "inputs", None) or ()) == 1 else ()
    any_size = len(shape) == 5 and tuple(shape[2:4]) == (None, None) and shape[1] in (None, 1)
    outputs = getattr(model, "output", None)
    named = isinstance(outputs, dict) and "log_density" in outputs
    return any_size and named and set(outputs) <= set(AVERAGED)
