"""The frame size used for a model that accepts any size."""

from __future__ import annotations

LONG_SIDE = 320  # pixels of the longer side, as in the general model's training
MULTIPLE = 8  # the model's features have a stride of 8


def fitting_size(height: int, width: int, long_side: int = LONG_SIDE) -> tuple[int, int]:
    """(height, width) with the longer side scaled to `long_side`, as multiples of 8.

    The aspect ratio is kept up to rounding: at most 4 pixels of the shorter side.

    Example: `fitting_size(1080, 1920)` is (176, 320), and `fitting_size(1920, 1080)` (320, 176).
    """
    if min(height, width, long_side) < 1:
        raise ValueError(
            "A frame must be at least 1 pixel high and wide. "
            f"Received: height={height}, width={width}, long_side={long_side}"
        )
    scale = long_side / max(height, width)
    sides = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    return tuple(sides)
