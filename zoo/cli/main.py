"""The command `zoo`: runs the chosen command and prints a user's mistake as one line."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from zoo.cli.messages import CommandError, did_you_mean, message_of
from zoo.cli.quiet import be_quiet, load_keras_alone, show_warnings_as_lines
from zoo.files.interface import command_line


class Command(NamedTuple):
    """A command: what it does, and the module whose `run` implements it."""

    summary: str
    module: str


# A command's module is imported only when the command is called: `zoo --help` stays fast.
COMMANDS = {
    "predict": Command("predict where people look in videos, or the action", "predict"),
    "view": Command("show predictions in the browser, also side by side", "view"),
    "train": Command("train a model with a recipe", "train"),
    "evaluate": Command("measure models and baselines on a data set", "evaluate"),
    "list": Command("list models, recipes and data sets", "listing"),
    "info": Command("show what is recorded in a model file", "info"),
    "export": Command("write a model in another program's format", "export"),
    "check": Command("check whether a data set is complete and readable", "check"),
    "gaze-report": Command(
        "write a page that shows whether gaze was read correctly", "gaze_report"
    ),
    "prepare": Command("convert a data set to shards: frames, features, flow", "prepare"),
    "weights": Command("list the published weight files that can be used", "weights"),
    "convert": Command("convert a published weight file to a Keras file", "convert"),
    "doctor": Command("show versions, backend, devices, codecs and disk space", "doctor"),
    "completion": Command("print a completion script for bash, zsh or fish", "completion"),
}
USER_ERRORS = (ValueError, OSError, CommandError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 2 for bad input, 130 if interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] in ("-V", "--version"):
        from zoo._version import __version__

        print(f"zoo {__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        guess = did_you_mean(name, COMMANDS)
        print(f"zoo: no such command: {name!r}. {guess}`zoo --help` lists them.", file=sys.stderr)
        return 2
    if not verbose:
        be_quiet()
    load_keras_alone()
    try:
        with command_line(), show_warnings_as_lines(f"zoo {name}"):
            importlib.import_module(f"zoo.cli.{COMMANDS[name].module}").run(rest)
    except SystemExit as exit_:  # help, and commands that set an exit status
        return exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 2
    except (*USER_ERRORS, ModuleNotFoundError) as error:
        if verbose or os.environ.get("ZOO_DEBUG"):
            raise
        print(f"zoo {name}: {message_of(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        resumes = name == "train" and "--restart" not in rest
        more = "; the same command resumes the training" if resumes else ""
        print(f"\nzoo {name}: interrupted{more}", file=sys.stderr)
        return 130
    return 0


def run_recipe(name: str) -> NoReturn:
    """Run a recipe for `python -m zoo.recipes.NAME`, as `zoo train NAME` does.

    Args:
        name: The recipe's name.
    """
    sys.exit(main(["train", name, *sys.argv[1:]]))


def _help() -> str:
    lines = ["usage: zoo COMMAND [options]", ""]
    lines += [f"  {name:<12}{command.summary}" for name, command in COMMANDS.items()]
    lines += [
        "",
        "`zoo COMMAND --help` lists a command's options. Every command takes --verbose, which also",
        "shows the backend's messages, and a traceback for an error.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
