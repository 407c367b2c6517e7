"""Options of a command that would have no effect."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zoo.cli.messages import CommandError


def refuse_unused(
    command: Callable, given: Mapping[str, Any], names: Sequence[str], needed: str
) -> None:
    """Raise an error for options that differ from their defaults but would have no effect.

    Args:
        command: the command's function, whose signature has the defaults.
        given: the function's arguments.
        names: the options to check.
        needed: what they must be used with, and what was received.
    """
    parameters = inspect.signature(command).parameters
    changed = [name for name in names if given[name] != parameters[name].default]
    if changed:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise CommandError(f"{options} must be used with {needed}")
