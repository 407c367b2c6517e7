"""`zoo completion`: print a script with which the shell completes commands, names and options."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import zoo
from zoo.cli.messages import CommandError
from zoo.cli.names import data_sets, recipes

SCRIPTS = {
    "bash": r"""_zoo() {
    local IFS=$'\n'
    COMPREPLY=($(zoo completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _zoo zoo""",
    "zsh": r"""#compdef zoo
_zoo() {
    local -a found
    found=("${(@f)$(zoo completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _zoo zoo""",
    "fish": r"""function __zoo_words
    zoo completion words -- (commandline -opc)[2..] (commandline -ct)
end
complete -c zoo -a '(__zoo_words)'""",
}
HELP = """usage: zoo completion SHELL

Print a completion script for bash, zsh or fish. To use it in every new shell, add this line:

  bash   eval "$(zoo completion bash)"      in ~/.bashrc
  zsh    eval "$(zoo completion zsh)"       in ~/.zshrc, after compinit
  fish   zoo completion fish | source       in ~/.config/fish/config.fish"""


def run(arguments: Sequence[str]) -> None:
    """Run the command."""
    if list(arguments[:2]) == ["words", "--"]:
        print("\n".join(words(list(arguments[2:]))))
    elif not arguments or arguments[0] in ("-h", "--help"):
        print(HELP)
    elif arguments[0] in SCRIPTS and len(arguments) == 1:
        print(SCRIPTS[arguments[0]])
    else:
        raise CommandError(
            f"the shell must be one of {', '.join(SCRIPTS)}. Received: {' '.join(arguments)}"
        )


def words(typed: list[str]) -> list[str]:
    """Completions of the last typed word; none where the shell should complete file names."""
    from zoo.cli.main import COMMANDS

    *before, last = typed or [""]
    if not before:
        found = list(COMMANDS)
    elif last.startswith("-") and before[0] == "train":
        found = _fields(_file("recipes", before[1]), "Config") if len(before) > 1 else []
    elif last.startswith("-") and before[0] in COMMANDS:
        found = _arguments(_file("cli", COMMANDS[before[0]].module))
    elif before[-1] == "--dataset" or before in (["check"], ["gaze-report"], ["prepare"]):
        found = ["csv", *data_sets()]
    elif before == ["train"]:
        found = list(recipes())
    elif before == ["completion"]:
        found = list(SCRIPTS)
    else:
        found = []
    return sorted(word for word in found if word.startswith(last))


def _file(part: str, name: str) -> Path:
    places = [Path(root, part, f"{name}.py") for root in zoo.__path__]
    return next((path for path in places if path.is_file()), places[0])


def _arguments(path: Path) -> list[str]:
    """The options of the function that a command's `run` calls, read from its source."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    called = [
        node.args[0].id
        for node in ast.walk(functions["run"])
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "call"
    ]
    return [
        _option(argument.arg)
        for name in called
        for argument in (*functions[name].args.args, *functions[name].args.kwonlyargs)
        if "Positional" not in ast.unparse(argument.annotation)
    ]


def _fields(path: Path, name: str) -> list[str]:
    """The options of a recipe: the fields of its dataclass and of the base classes."""
    if not path.is_file():
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
            found += [_option(field.target.id) for field in fields]
            for base in node.bases:
                found += _inherited(tree, ast.unparse(base))
    return found


def _inherited(tree: ast.Module, base: str) -> list[str]:
    """The options of a base class, imported as `Config` or through its module, `rmdn.Config`."""
    module_name, _, name = base.rpartition(".")
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("zoo."):
            continue
        imported = [alias.name for alias in node.names]
        if module_name in imported:
            folders = node.module.split(".")[1:]
            return _fields(_file("/".join(folders), module_name), name)
        if not module_name and name in imported:
            *folders, module = node.module.split(".")[1:]
            return _fields(_file("/".join(folders), module), name)
    return []


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
