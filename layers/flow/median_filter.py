"""The 5x5 median of an image in comparisons only, which compiles to straight code anywhere."""

from __future__ import annotations

from keras import ops

# Sorts five values in nine exchanges.
_SORT5 = ((0, 1), (3, 4), (2, 4), (2, 3), (1, 4), (0, 3), (0, 2), (1, 3), (1, 2))
# In a 5x5 square whose rows and columns are sorted, six places are surely below the median and
# six surely above it; the median of the square is the median of these thirteen.
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
    """Moves the smallest of the values to the front, the largest to the back, and drops both."""
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
    """Gives the median of every pixel's 5x5 neighbourhood, edges repeated.

    Args:
        images: (batch, height, width).

    Returns:
        The same shape.
    """
    height, width = images.shape[1:3]
    # Repeating the edge twice by slices: not every backend pads by repeating.
    x = ops.concatenate([images[:, :1], images[:, :1], images, images[:, -1:], images[:, -1:]], 1)
    x = ops.concatenate([x[:, :, :1], x[:, :, :1], x, x[:, :, -1:], x[:, :, -1:]], 2)
    columns = _sort5([x[:, k : k + height] for k in range(5)])  # each (batch, height, width + 4)
    square = [_sort5([rank[:, :, k : k + width] for k in range(5)]) for rank in columns]
    middle = [square[i][j] for i, j in _MIDDLE]
    # The smallest and the largest of eight out of thirteen are not the seventh: drop them, and
    # go on with one more, until one is left.
    kept, waiting = middle[:8], middle[8:]
    while len(kept) > 1:
        kept = _without_extremes(kept)
        if waiting:
            kept.append(waiting.pop())
    return kept[0]
