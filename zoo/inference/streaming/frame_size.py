"""The size at which frames are given to a model that takes any."""

from __future__ import annotations

LONG_SIDE = 320  # pixels of the longer side: what the general model was trained with
MULTIPLE = 8  # the model's features have a stride of 8


def fitting_size(height: int, width: int, long_side: int = LONG_SIDE) -> tuple[int, int]:
    """(height, width) with the longer side scaled to `long_side`, as multiples of 8.

    The shape is kept within half a multiple: at most 4 pixels of the shorter side.

    Example: `fitting_size(1080, 1920)` is (176, 320), and `fitting_size(1920, 1080)` (320, 176).
    """
    if min(height, width, long_side) < 1:
        raise ValueError(
            "A frame must have at least one pixel a side. "
            f"Received: height={height}, width={width}, long_side={long_side}"
        )
    scale = long_side / max(height, width)
    sides = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    return tuple(sides)
