"""Tracks whether the caller uses Python or the command line, so that errors advise its options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_COMMAND_LINE = False  # global, not per thread: worker threads raise errors too


@contextmanager
def command_line() -> Iterator[None]:
    """Inside this block, `advised` gives the options of the command `zoo`."""
    global _COMMAND_LINE
    before, _COMMAND_LINE = _COMMAND_LINE, True
    try:
        yield
    finally:
        _COMMAND_LINE = before


def advised(python: str, command: str) -> str:
    """The spelling of an option in the caller's interface.

    Args:
        python: The option in Python, such as "`partial=True`".
        command: The option of the command `zoo`, such as "`--dataset NAME:partial=1`".
    """
    return command if _COMMAND_LINE else python
