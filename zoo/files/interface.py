"""Through which interface the caller came, so that an error advises an option that he has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_COMMAND_LINE = False  # of the whole process: worker threads raise errors too


@contextmanager
def command_line() -> Iterator[None]:
    """While it lasts, `advised` speaks of the options of the command `zoo`."""
    global _COMMAND_LINE
    before, _COMMAND_LINE = _COMMAND_LINE, True
    try:
        yield
    finally:
        _COMMAND_LINE = before


def advised(python: str, command: str) -> str:
    """The advice for the caller's interface.

    Args:
        python: What a caller in Python can give, such as "`partial=True`".
        command: What a caller of the command `zoo` can give, such as "`--dataset NAME:partial=1`".
    """
    return command if _COMMAND_LINE else python
