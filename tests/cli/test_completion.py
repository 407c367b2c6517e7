"""Shell completion: the suggestions for a word."""

import shutil
import subprocess
import sys

import pytest

from zoo.cli.completion import SCRIPTS, words
from zoo.cli.main import COMMANDS


def test_words():
    assert words(["pre"]) == ["predict", "prepare"]
    assert words([""]) == sorted(COMMANDS)
    assert words(["train", "rm"]) == ["rmdn"]
    assert words(["train", "rmdn", "--dataset", "ucf1"]) == ["ucf101", "ucf101_24", "ucf11"]
    assert words(["check", "dh"]) == words(["gaze-report", "dh"]) == ["dhf1k"]
    assert words(["predict", "--ov"]) == ["--overwrite"]
    assert words(["predict", "clip"]) == []  # the shell completes files itself
    assert words(["nothing", "--x"]) == [] and words(["train", "nothing", "--x"]) == []


def test_options_of_a_recipe_with_inherited_fields():
    found = words(["train", "soft_attention", "--"])
    assert "--data-dir" in found and "--attention" in found


def test_every_command_has_its_options():
    for name in set(COMMANDS) - {"train", "list", "doctor", "completion"}:
        assert words([name, "--"]) or name == "weights", name


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes(tmp_path):
    zoo = tmp_path / "zoo"
    zoo.write_text(f'#!/bin/sh\nexec {sys.executable} -m zoo.cli "$@"\n')
    zoo.chmod(0o755)
    script = f"""{SCRIPTS["bash"]}
COMP_WORDS=(zoo predict --over); COMP_CWORD=2; _zoo; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "--overwrite"
