"""Error messages of the command line: one line, in terms of the command's own options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable

from zoo.files.printable import printable

# Packages that some commands need, and the extra that installs them.
EXTRAS = {
    "tensorflow": "tensorflow",
    "tensorboard": "tensorflow",
    "jax": "jax",
    "torch": "torch",
    "apache_beam": "beam",
    "pymovements": "gaze",
    "tf2onnx": "export",
    "onnx": "export",
    "onnxruntime": "export",
    "openvino": "export",
    "ai_edge_litert": "export",
}


class CommandError(Exception):
    """A mistake in the arguments of a command; its message is complete."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "Did you mean X? " if a known name is close to the given one, else nothing."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}? " if close else ""


def message_of(error: BaseException) -> str:
    """An error's message as one line, without control characters."""
    return printable(_message(error))


def _message(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        text = f"The package {package} is required but not installed"
        if package in EXTRAS:
            text += f": pip install 'video-attention-zoo[{EXTRAS[package]}]'"
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def in_options(message: str, names: Iterable[str], positional: Collection[str] = ()) -> str:
    """Rewrite a message about a function's arguments in terms of a command's options.

    Args:
        message: the message, such as "`size` must be positive. Received: size=(0, 2)".
        names: the function's arguments that are options of the command.
        positional: those that the command takes as positional arguments.

    Returns:
        The new message, such as "--size must be positive. Received: --size 0 2".
    """
    for name in names:
        option = name.upper() if name in positional else f"--{name.replace('_', '-')}"
        message = re.sub(rf"`{name}`", option, message)
        value = rf"(?<![\w.\-]){name}="
        message = re.sub(rf"`?{value}True`?", option, message)
        message = re.sub(rf"`?{value}False`?", f"--no-{name.replace('_', '-')}", message)
        message = re.sub(rf"`?{value}None`?", f"no {option}", message)
        message = re.sub(
            rf"{value}[(\[]([^)\]]*)[)\]]",
            lambda found, option=option: f"{option} {found[1].replace(',', '')}",
            message,
        )
        message = re.sub(
            rf"`?{value}(['\"]?)([^\s,;'\"`]+?)\1(?=[\s,;.`)]|$)`?", rf"{option} \2", message
        )
    return message
