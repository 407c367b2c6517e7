"""What a model that accepts any frame size is given of a video's size."""

from __future__ import annotations

from zoo.layers.saliency.seen_side import seen_side

MULTIPLE = 8  # the model's features have a stride of 8
LONG_SIDE = 320  # pixels of the longer side, as in the general model's training
LONG_SIDE_HD = 384  # of videos with HD or more pixels, which are watched larger
HD = 1280  # pixels of the longer side
PICTURE_SIDES = (448, 320)  # a picture is predicted at both sizes


def fitting_size(height: int, width: int, long_side: int | None = None) -> tuple[int, int]:
    """(height, width) with the longer side scaled to `long_side`, as multiples of 8.

    The aspect ratio is kept up to rounding: at most 4 pixels of the shorter side.

    Args:
        height, width: of the video.
        long_side: None: 384 pixels for videos of 1280 pixels or more, 320 for smaller ones.

    Example: `fitting_size(1080, 1920)` is (216, 384), and `fitting_size(640, 360)` (320, 176).
    """
    if long_side is None:
        long_side = LONG_SIDE_HD if max(height, width) >= HD else LONG_SIDE
    if min(height, width, long_side) < 1:
        raise ValueError(
            "A frame must be at least 1 pixel high and wide. "
            f"Received: height={height}, width={width}, long_side={long_side}"
        )
    scale = long_side / max(height, width)
    sides = (max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (height, width))
    return tuple(sides)


def side_of_video(height: int, width: int) -> int:
    """The longer side of a video, for layers such as `zoo.layers.GazeScatter`; at most 1000.

    Example: `side_of_video(240, 416)`
    """
    return seen_side(max(height, width))
