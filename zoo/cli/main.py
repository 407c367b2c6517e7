"""The command `zoo`: finds the command, runs it, and turns a user's mistake into one line."""

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
    """A command: what it does, and the module whose `run` does it."""

    summary: str
    module: str


# The modules are imported when their command is called, so that `zoo --help` is quick.
COMMANDS = {
    "predict": Command("where people look in videos, or the action: maps, a film", "predict"),
    "view": Command("predictions in the browser, one or several side by side", "view"),
    "train": Command("train a model by a recipe: zoo train RECIPE [options]", "train"),
    "evaluate": Command("measure models beside baselines", "evaluate"),
    "list": Command("models, recipes and data sets", "listing"),
    "info": Command("what a model file says about itself", "info"),
    "export": Command("write a model in another program's format", "export"),
    "check": Command("is a data set complete and readable?", "check"),
    "gaze-report": Command("a page that shows whether gaze was read right", "gaze_report"),
    "prepare": Command("turn a data set into shards: frames, features, flow", "prepare"),
    "weights": Command("the published weight files that are known", "weights"),
    "convert": Command("turn a published weight file into a Keras file", "convert"),
    "doctor": Command("versions, devices, codecs, backend and disk of this machine", "doctor"),
    "completion": Command("a script for the shell's completion: bash, zsh or fish", "completion"),
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
    except SystemExit as exit_:  # help, and commands with an exit status of their own
        return exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 2
    except (*USER_ERRORS, ModuleNotFoundError) as error:
        if verbose or os.environ.get("ZOO_DEBUG"):
            raise
        print(f"zoo {name}: {message_of(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nzoo {name}: interrupted", file=sys.stderr)
        return 130
    return 0


def run_recipe(name: str) -> NoReturn:
    """What `python -m zoo.recipes.NAME` does: the same as `zoo train NAME`.

    Args:
        name: The recipe.
    """
    sys.exit(main(["train", name, *sys.argv[1:]]))


def _help() -> str:
    lines = ["usage: zoo COMMAND [options]; zoo COMMAND --help lists them.", ""]
    lines += [f"  {name:<12}{command.summary}" for name, command in COMMANDS.items()]
    lines += ["", "With any command, --verbose shows the backend's own messages and tracebacks."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
