"""Maps resized as Matlab's `imresize` does, before they are compared."""

from __future__ import annotations

import functools

import numpy as np
from keras import ops


def resize(maps, height: int, width: int):
    """Bicubic with antialiasing, as Matlab's `imresize` for numbers of floating point.

    The cubic kernel has a = -0.5; where a side shrinks it is widened by the factor, so that every
    pixel counts. Beyond the edges the map is mirrored. Nothing is rounded or cut: next to sharp
    edges the result goes a little below the lowest and above the highest value.

    Args:
        maps: (..., height, width), any number of leading axes.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        (..., height, width) float32.

    Example:

    ```python
    values = zoo.metrics.nss(zoo.metrics.resize(saliency, 360, 640), fixations)
    ```

    Reference: Keys, Cubic convolution interpolation for digital image processing, 1981; the
    MIT benchmark's code resizes predictions to the size of the fixation map so.
    """
    maps = ops.cast(maps, "float32")
    if len(maps.shape) < 2 or min(height, width) < 1 or 0 in maps.shape[-2:]:
        raise ValueError(
            "Maps must be (..., height, width), and both sides at least 1. Received: "
            f"shape={tuple(maps.shape)}, height={height}, width={width}"
        )
    rows = _weights(maps.shape[-2], height)
    columns = _weights(maps.shape[-1], width)
    maps = ops.matmul(ops.convert_to_tensor(rows), maps)
    return ops.matmul(maps, ops.convert_to_tensor(columns.T))


@functools.lru_cache(maxsize=32)
def _weights(before: int, after: int) -> np.ndarray:
    """(after, before): how much each old place counts for each new one."""
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
