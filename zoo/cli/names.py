"""Names of models, recipes and data sets, read from the source files without importing them."""

from __future__ import annotations

import ast
import functools
import pkgutil
import re
from pathlib import Path

import zoo
from zoo.cli.messages import CommandError, did_you_mean

NOT_MODELS = ("list_models", "load", "save")


@functools.cache
def models() -> dict[str, str]:
    """Each builder, `zoo.<name>`, with the first line of its description."""
    found = {}
    for name, module in zoo._FUNCTIONS.items():
        if module == "zoo.models" and name not in NOT_MODELS:
            tree = ast.parse(_source("zoo.models", name))
            functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
            builder = next(node for node in functions if node.name == name)
            found[name] = (ast.get_docstring(builder) or "").partition("\n")[0]
    return found


@functools.cache
def recipes() -> dict[str, str]:
    """Each module of `zoo.recipes` with a `Config` and a `main`, and its first line."""
    import zoo.recipes

    found = {}
    for module in pkgutil.iter_modules(zoo.recipes.__path__):
        text = _source("zoo.recipes", module.name)
        if re.search(r"^class Config\b", text, re.M) and re.search(r"^def main\(", text, re.M):
            found[module.name] = _first_line(text)
    return dict(sorted(found.items()))


@functools.cache
def data_sets() -> dict[str, str]:
    """Each data set, `zoo.datasets.<name>`, and its first line."""
    import zoo.datasets

    found = {}
    for module in pkgutil.iter_modules(zoo.datasets.__path__):
        text = _source("zoo.datasets", module.name)
        if re.search(r"^DESCRIPTION\b", text, re.M) and re.search(r"^def load\(", text, re.M):
            found[module.name] = _first_line(text)
    return found


def check_data_set(name: str, *others: str) -> str:
    """Return the name if it is a data set or one of the others; else raise an error with a guess.

    Several names may be joined by `+`, and each may be followed by a colon and options.
    """
    known = [*others, *data_sets()]
    for text in name.split("+"):
        alone = text.partition(":")[0].strip()
        if alone not in known:
            raise CommandError(
                f"no such data set: {alone!r}. {did_you_mean(alone, known)}`zoo list` shows them."
            )
    return name


def _first_line(text: str) -> str:
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _source(package: str, name: str) -> str:
    # Found by path, because importing `zoo.models` would import Keras.
    part = package.split(".")[1]
    for root in zoo.__path__:
        for path in (Path(root, part, f"{name}.py"), Path(root, part, name, "__init__.py")):
            if path.is_file():
                return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"The source file of {package}.{name} must exist. Received: none")
