"""Calling a function with command-line arguments; mistakes are reported in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import io
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

import tyro

from zoo.cli.messages import CommandError, did_you_mean, in_options, message_of


def call(function: Callable[..., None], arguments: Sequence[str], name: str) -> None:
    """Call a command's function with the arguments of the command line.

    Args:
        function: its signature and docstring are the command's options and help.
        arguments: the arguments after the command's name.
        name: the command's name, such as "predict".
    """

    def bind(*args: Any, **options: Any) -> Callable[[], None]:
        return functools.partial(function, *args, **options)

    # Without line breaks inside a description: tyro would keep them, whatever the terminal's width.
    bind.__doc__ = re.sub(r"\n {8}(?=\S)", " ", inspect.getdoc(function) or "")
    bind.__signature__ = inspect.signature(function)
    bind.__annotations__ = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    positional = [n for n, p in parameters.items() if "Positional" in str(p.annotation)]
    bound = parse(bind, arguments, name, list(parameters))
    with own_options(list(parameters), positional):
        bound()


def parse(target: Any, arguments: Sequence[str], name: str, options: Sequence[str] = ()) -> Any:
    """Parse the arguments with tyro; raise mistakes as a `CommandError` of one line."""
    if dataclasses.is_dataclass(target) and not options:
        options = [field.name for field in dataclasses.fields(target)]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return tyro.cli(target, args=list(arguments), prog=f"zoo {name}")
    except SystemExit as exit_:
        if not exit_.code:
            raise
        raise CommandError(_one_line(printed.getvalue(), name, options)) from None
    finally:
        if sys.exc_info()[0] is None:
            sys.stderr.write(printed.getvalue())


@contextlib.contextmanager
def own_options(names: Sequence[str], positional: Sequence[str] = ()):
    """Make errors and warnings inside name the command's options, not a function's arguments."""
    show = warnings.showwarning

    def in_the_options(message, *where, **more):
        show(in_options(str(message), names, positional), *where, **more)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = in_the_options
            yield
    except ModuleNotFoundError:
        raise
    except (ValueError, OSError) as error:
        raise CommandError(in_options(message_of(error), names, positional)) from error


def _one_line(box: str, name: str, options: Sequence[str]) -> str:
    """The text in tyro's error box, without the frame, the help and the list of attempts."""
    lines = [line.strip("│╭╮╰╯ ") for line in box.splitlines()]
    parts, part = [], []
    for line in lines[1:]:
        if line and not line.strip("─ "):
            parts.append(" ".join(part))
            part = []
        else:
            part.append(line)
    text = (parts[0] if parts else " ".join(part)).split("Got errors:")[0].strip()
    if unknown := re.search(r"[Uu]nrecognized options?: (.*)", text):
        listed = re.match(r"[^\s,]+(?:, [^\s,]+)*", unknown[1])[0].split(", ")
        # Whatever follows an unknown option is listed too, although it may be right.
        names = [part for part in listed if part.startswith("-")] or listed
        first = names[0]
        known = [f"--{option.replace('_', '-')}" for option in options]
        guess = did_you_mean(first, known) if first.startswith("-") else ""
        return f"no such argument: {', '.join(names)}. {guess}`zoo {name} --help` lists them."
    if wrong := re.match(
        r"Error parsing (\S+): no type matching (.*) could be .*from \[(.*)\]", text
    ):
        kind = wrong[2].replace("{None}|", "").replace("{", "").replace("}", "")
        return f"{wrong[1]} must be {kind}. Received: {wrong[3]}"
    return f"{text.rstrip('.')}. `zoo {name} --help` lists the arguments."
