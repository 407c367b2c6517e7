"""Arrays that TensorFlow can take over without copying them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ALIGNMENT = 64  # bytes; TensorFlow copies arrays that start elsewhere


def aligned_empty(shape: Sequence[int], dtype: np.typing.DTypeLike) -> np.ndarray:
    """As `np.empty`, but the array starts at a multiple of 64 bytes.

    `tf.numpy_function` returns such an array as a tensor without copying it. NumPy itself aligns
    to 16 bytes.

    Example: `frames = aligned_empty((30, 224, 224, 3), np.uint8)`
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    held = np.empty(size + ALIGNMENT, np.uint8)
    first = -held.ctypes.data % ALIGNMENT
    return held[first : first + size].view(dtype).reshape(shape)
