"""The first few of many names, for a message."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 10


def first_few(texts: Sequence[str], separator: str = ", ") -> str:
    """The first ten texts, and how many more there are.

    Example: `first_few(["a.mp4", "b.mp4"])` is "a.mp4, b.mp4".
    """
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return separator.join(texts[:SHOWN]) + more
