"""The mean of several predictions for the same frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

AVERAGED = ("log_density", "mixture")  # the outputs that a mean is defined for


def mean_outputs(predictions: Sequence[dict]) -> dict[str, np.ndarray]:
    """The mean density of several predictions, output by output.

    Log densities (n, rows, columns) of different sizes are enlarged to the largest one. The mean
    of mixtures (n, C, 6) has the components of all of them, each with its share of the weight.

    Args:
        predictions: outputs by name, as a `Stream` returns them; all empty if no frame is
            completed.

    Example: `mean_outputs([outputs, unmirrored(outputs_of_the_mirror_image)])`
    """
    if not predictions[0]:
        return predictions[0]
    means = {"log_density": _mean_density, "mixture": _joined_mixtures}
    return {
        name: means[name]([np.asarray(each[name], np.float32) for each in predictions])
        for name in predictions[0]
    }


def unmirrored(outputs: dict) -> dict[str, np.ndarray]:
    """Turn the prediction for a mirror image into one for the image itself."""
    found = {}
    if "log_density" in outputs:
        found["log_density"] = outputs["log_density"][..., ::-1]
    if "mixture" in outputs:
        found["mixture"] = mixture = np.array(outputs["mixture"])
        mixture[..., 1] = 1 - mixture[..., 1]
        mixture[..., 5] *= -1  # the correlation of x and y
    return found


def _mean_density(maps: list[np.ndarray]) -> np.ndarray:
    rows, columns = (max(each.shape[axis] for each in maps) for axis in (1, 2))
    total = 0.0
    for each in maps:
        density = np.exp(each)
        if density.shape[1:] != (rows, columns):
            density = np.stack([cv2.resize(one, (columns, rows)) for one in density])
        total = total + density / density.sum((1, 2), keepdims=True)
    return np.log(total / total.sum((1, 2), keepdims=True))


def _joined_mixtures(mixtures: list[np.ndarray]) -> np.ndarray:
    parts = []
    for mixture in mixtures:
        logits = mixture[..., :1]
        logits = logits - np.logaddexp.reduce(logits, axis=-2, keepdims=True)
        parts.append(np.concatenate([logits, mixture[..., 1:]], axis=-1))
    return np.concatenate(parts, axis=-2)
