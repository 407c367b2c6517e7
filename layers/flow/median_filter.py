"""A 5x5 median filter that uses only minima and maxima, and so compiles well on any backend."""

from __future__ import annotations

from keras import ops

# A network that sorts five values with nine exchanges.
_SORT5 = ((0, 1), (3, 4), (2, 4), (2, 3), (1, 4), (0, 3), (0, 2), (1, 3), (1, 2))
# In a 5x5 square with sorted rows and columns, six positions are certain to be below the median
# and six above it; the median of the square is the median of the remaining thirteen.
_MIDDLE = (
    (0, 3), (0, 4), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2),
    (2, 3), (3, 0), (3, 1), (3, 2), (4, 0), (4, 1),
)  # fmt: skip


def _sort5(values):
    values = list(values)
    for a, b in _SORT5:
        values[a], values[b] = (
            ops.minimum(values[a], values[b]),
            ops.maximum(values[a], values[b]),
        )
    return values


def _without_extremes(values):
    """Drop the smallest and the largest of the values."""
    values = list(values)
    n = len(values)
    for a in range(n // 2):
        b = n - 1 - a
        values[a], values[b] = (
            ops.minimum(values[a], values[b]),
            ops.maximum(values[a], values[b]),
        )
    for a in range(1, (n + 1) // 2):
        values[0], values[a] = (
            ops.minimum(values[0], values[a]),
            ops.maximum(values[0], values[a]),
        )
    for b in range(n // 2, n - 1):
        values[b], values[-1] = (
            ops.minimum(values[b], values[-1]),
            ops.maximum(values[b], values[-1]),
        )
    return values[1:-1]


def median_filter_5x5(images):
    """The median of each pixel's 5x5 neighbourhood, with repeated edges.

    Args:
        images: (batch, height, width).

    Returns:
        (batch, height, width).

    Example: `median_filter_5x5(np.zeros((1, 32, 32), "float32"))`
    """
    height, width = images.shape[1:3]
    # Repeat the edges by slices, because not every backend can pad by repeating.
    x = ops.concatenate([images[:, :1], images[:, :1], images, images[:, -1:], images[:, -1:]], 1)
    x = ops.concatenate([x[:, :, :1], x[:, :, :1], x, x[:, :, -1:], x[:, :, -1:]], 2)
    columns = _sort5([x[:, k : k + height] for k in range(5)])  # each (batch, height, width + 4)
    square = [_sort5([rank[:, :, k : k + width] for k in range(5)]) for rank in columns]
    middle = [square[i][j] for i, j in _MIDDLE]
    # Of any eight of the thirteen values, the smallest and the largest cannot be the median: drop
    # them and add another value, until one is left.
    kept, waiting = middle[:8], middle[8:]
    while len(kept) > 1:
        kept = _without_extremes(kept)
        if waiting:
            kept.append(waiting.pop())
    return kept[0]
