"""The argument `image_size` of backbones and models, and other sizes of pictures."""

from __future__ import annotations

import operator
from typing import Any


def frame_sides(
    image_size: Any, *, any_size: bool = False, name: str = "image_size"
) -> tuple[int | None, int | None]:
    """(height, width) of an `image_size`: that pair, or the side of square frames.

    Args:
        image_size: A whole number, NumPy's included, or two of them.
        any_size: Also accept None, for sides of any length.
        name: Name of the argument, for the error.

    Raises:
        ValueError: It is something else, or a side is below 1.

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
        if any(side is not None and side < 1 for side in (height, width)):
            raise ValueError
    except (TypeError, ValueError):
        allowed = ", or None for any" if any_size else ""
        raise ValueError(
            f"`{name}` must be a whole number of pixels or (height, width){allowed}. "
            f"Received: {name}={image_size!r}"
        ) from None
    return height, width
