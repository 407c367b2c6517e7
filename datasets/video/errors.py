"""The error for videos that cannot be read."""

from __future__ import annotations


class VideoError(ValueError):
    """A video is missing, damaged or otherwise unreadable; the message names it."""
