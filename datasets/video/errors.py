"""What is wrong with a video that cannot be read."""

from __future__ import annotations


class VideoError(ValueError):
    """A video that cannot be read as what it claims to be; the message names it."""
