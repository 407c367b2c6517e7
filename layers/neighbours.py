from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keras import ops


def neighbours(x: Any, before: int, after: int, axis: int = 1) -> Iterator[Any]:
    """Yield copies of a tensor shifted along an axis, without the tensor itself.

    Zeros stand beyond the ends. `ops.slice`, because in TensorFlow the gradient of indexing takes
    several times as long.

    Args:
        x: A tensor.
        before, after: Largest shift in either direction; the copy that holds the entries `before`
            places earlier comes first.
        axis: The axis to shift along, not negative.
    """
    first, last = axis, len(x.shape) - axis - 1  # number of axes before and after it
    padded = ops.pad(x, [(0, 0)] * first + [(before, after)] + [(0, 0)] * last)
    for start in range(before + 1 + after):
        if start != before:
            yield ops.slice(padded, [0] * first + [start] + [0] * last, ops.shape(x))
