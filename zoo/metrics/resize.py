"""Resizing maps like Matlab's `imresize`, before they are compared."""

from __future__ import annotations

import functools

import numpy as np
from keras import ops


def resize(maps, height: int, width: int):
    """Resize maps bicubically with antialiasing, like Matlab's `imresize` of floating-point maps.

    The cubic kernel has a = -0.5; if a side shrinks, it is widened by the factor, so that every
    pixel contributes. Maps are mirrored at the edges. Values are not rounded or clipped: near
    sharp edges they can be slightly below the lowest or above the highest value.

    Args:
        maps: (..., height, width), with any number of leading axes.
        height: Number of rows of the result.
        width: Number of columns of the result.

    Returns:
        (..., height, width) float32.

    Raises:
        ValueError: The maps have less than two axes or are empty, or a side is below 1.

    Example:

    ```python
    values = zoo.metrics.nss(zoo.metrics.resize(saliency, 360, 640), fixations)
    ```

    Reference: Keys, Cubic convolution interpolation for digital image processing, 1981; the
    code of the MIT benchmark resizes predictions to the size of the fixation map this way.
    """
    maps = ops.cast(maps, "float32")
    if len(maps.shape) < 2 or min(height, width) < 1 or 0 in maps.shape[-2:]:
        raise ValueError(
            "Maps must have the shape (..., height, width), with both sides at least 1. Received: "
            f"shape={tuple(maps.shape)}, height={height}, width={width}"
        )
    rows = _weights(maps.shape[-2], height)
    columns = _weights(maps.shape[-1], width)
    maps = ops.matmul(ops.convert_to_tensor(rows), maps)
    return ops.matmul(maps, ops.convert_to_tensor(columns.T))


@functools.lru_cache(maxsize=32)
def _weights(before: int, after: int) -> np.ndarray:
    """(after, before): the weight of each old position for each new one."""
    scale = after / before
    shrink = min(scale, 1.0)
    reach = 2.0 / shrink
    centres = (np.arange(after) + 0.5) / scale - 0.5
    first = np.floor(centres - reach).astype(int)
    places = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
    weights = _cubic((centres[:, None] - places) * shrink)
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = places % (2 * before)
    mirrored = np.where(mirrored < before, mirrored, 2 * before - 1 - mirrored)
    result = np.zeros((after, before))
    np.add.at(result, (np.arange(after)[:, None], mirrored), weights)
    return result.astype("float32")


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
