"""The argument `image_size` of backbones and models."""

from __future__ import annotations

import operator
from typing import Any


def frame_sides(image_size: Any, *, any_size: bool = False) -> tuple[int | None, int | None]:
    """(height, width) of an `image_size`: that pair, or the side of square frames.

    Args:
        image_size: A whole number, NumPy's included, or two of them.
        any_size: Also accept None, for sides of any length.

    Raises:
        ValueError: It is something else.

    Example: `frame_sides(112)` is (112, 112).
    """
    try:
        pair = tuple(image_size)
    except TypeError:
        pair = (image_size, image_size)
    try:
        height, width = (
            None if side is None and any_size else operator.index(side) for side in pair
        )
    except (TypeError, ValueError):
        allowed = ", or None for any" if any_size else ""
        raise ValueError(
            f"`image_size` must be a whole number of pixels or (height, width){allowed}. "
            f"Received: image_size={image_size!r}"
        ) from None
    return height, width
