"""The Python snippets of README and docs run as printed; the options of their commands exist."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import shlex
from pathlib import Path

import pytest

import zoo
import zoo.models
from tests.docs.setups import PUBLISHED, SETUPS, small_options
from zoo.cli.completion import words
from zoo.cli.main import COMMANDS
from zoo.cli.names import recipes
from zoo.datasets import moving_targets

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Blocks of a language, each with the line at which its code begins."""
    text = page.read_text(encoding="utf-8")
    return [
        (text[: found.start(2)].count("\n"), found[2])
        for found in BLOCK.finditer(text)
        if found[1] == language
    ]


WITH_PYTHON = [page for page in PAGES if blocks(page, "python")]


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name)
def test_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name(page) == "docs/export.md":
        pytest.importorskip("tf2onnx", reason="the extra `export` is not installed")
    if page.name != "README.md":  # the page that newcomers copy runs at its full size
        make_small(monkeypatch)
    space = {"__name__": "snippet"}
    exec(compile(SETUPS.get(name(page), ""), "setup", "exec"), space)
    for line, code in blocks(page, "python"):
        # With the block's line, so that a traceback names the line of the page.
        tree = ast.parse("\n" * line + code, name(page))
        if page.parent.name == "datasets" or any(text in code for text in PUBLISHED):
            check_names(tree, space)
        else:
            exec(compile(tree, name(page), "exec"), space)


def make_small(monkeypatch) -> None:
    for builder, options in small_options().items():
        small = functools.partial(getattr(zoo.models, builder), **options)
        # `zoo` imports its builders from `zoo.models` at their first use, so this must happen
        # first, or the small builder would be taken for the original and kept after the test.
        monkeypatch.setattr(zoo, builder, small)
        monkeypatch.setattr(zoo.models, builder, small)
    make = moving_targets.make

    def make_few(root, *, num_videos, **options):
        return make(root, num_videos=min(num_videos, 6), **options)

    monkeypatch.setattr(moving_targets, "make", make_few)


def check_names(tree: ast.Module, space: dict) -> None:
    """Run the imports; every call of an imported function must match its signature."""
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    exec(compile(ast.Module(imports, []), "imports", "exec"), space)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        root = ast.unparse(node.func).split(".")[0]
        if root in space:
            function = eval(ast.unparse(node.func), space)
            given = {keyword.arg: None for keyword in node.keywords}
            inspect.signature(function).bind(*node.args, **given)


def test_calls_are_checked_against_signatures():
    tree = ast.parse("from zoo.datasets import ucf101\nucf101.load('x', fould=1)")
    with pytest.raises(TypeError, match="fould"):
        check_names(tree, {})


def commands(page: Path) -> list[str]:
    """The commands in a page's shell blocks, with continued lines joined, without comments."""
    found = []
    for language in ("", "sh", "bash"):
        for _, text in blocks(page, language):
            for line in text.replace("\\\n", " ").splitlines():
                found.append(re.sub(r"\s#\s.*", "", line).strip())
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_have_the_options(page):
    for line in commands(page):
        if not line.startswith("zoo "):
            continue
        typed = shlex.split(line.replace("...", ""))
        _, command, *rest = typed
        assert command in COMMANDS, line
        before = [command]
        if command == "train":
            assert rest[0] in recipes(), line
            before.append(rest[0])
        known = {*words([*before, "--"]), "--help", "--verbose"}
        given = {word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"}
        given = {f"--{word[5:]}" if word.startswith("--no-") else word for word in given}
        assert given <= known, f"{line}: {sorted(given - known)}"
