"""The size at which a video is seen."""

from __future__ import annotations

LARGE = 1000  # pixels, about the longer side at which viewers saw the pictures of the training


def seen_side(video_side: int | None) -> int:
    """The longer side of a video in pixels, at most `LARGE`, for the layers that depend on it.

    Args:
        video_side: longer side of the video, in pixels. None: `LARGE` or more.

    Raises:
        ValueError: `video_side` is not positive.

    Example: `seen_side(416)` is 416, and `seen_side(1920)` 1000.
    """
    if video_side is not None and video_side < 1:
        raise ValueError(f"`video_side` must be positive. Received: video_side={video_side}")
    return min(video_side or LARGE, LARGE)
