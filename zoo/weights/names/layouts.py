"""Layouts: conversions of a file's tensor to that of a Keras layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Layout = Callable[[np.ndarray], np.ndarray]


def as_is(array: np.ndarray) -> np.ndarray:
    """The tensor, unchanged."""
    return array


def flat(array: np.ndarray) -> np.ndarray:
    """To one axis, for biases and statistics that some formats store as (1, 1, 1, 1, channels)."""
    return array.reshape(-1)


def convolution(array: np.ndarray) -> np.ndarray:
    """(out, in, *window) to (*window, in, out), without flipping: all frameworks correlate."""
    return np.moveaxis(np.moveaxis(array, 0, -1), 0, -2)


def depthwise(array: np.ndarray) -> np.ndarray:
    """(channels, 1, *window) to (*window, channels, 1)."""
    return np.moveaxis(array, (0, 1), (-2, -1))


def dense(array: np.ndarray) -> np.ndarray:
    """(out, in) to (in, out); old Caffe files have additional leading axes of size one."""
    return array.reshape(array.shape[-2:]).T


def dense_after_flatten(channels: int, *window: int) -> Layout:
    """(out, in) to (in, out), for inputs that were flattened channels first, but here last.

    Args:
        channels: Number of channels before flattening.
        window: The other sizes before flattening: time, height, width.
    """

    def layout(array: np.ndarray) -> np.ndarray:
        out = array.shape[-2]
        if array.shape[-1] != channels * int(np.prod(window)):
            return dense(array)  # another size, which the comparison of shapes will report
        parts = array.reshape(out, channels, *window)
        # Reshaping copies the data to the final layout, (time, height, width, channels, out).
        return np.moveaxis(np.moveaxis(parts, 0, -1), 0, -2).reshape(-1, out)

    return layout


def shape_after(layout: Layout, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape that a layout results in, without any values; None if it does not apply."""
    dummy = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), shape, (0,) * len(shape))
    try:
        return layout(dummy).shape
    except (ValueError, IndexError):
        return None
