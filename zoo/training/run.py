"""The output folder of a run, and the settings made before it starts."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from zoo._processor import warn_of_slow_bfloat16
from zoo.files.atomic import remove_partial, write_text
from zoo.files.lock import folder_lock
from zoo.training.devices import machine
from zoo.training.state_reader import read_state

STATE = "state.npz"
BEST = "best.keras"
HISTORY = "history.json"
CONFIG = "config.json"
LOGS = "logs"
OWN_DATA = ("csv", "shards", "your_own")  # data sets whose name does not say which data they are


def prepare_run(seed: int, *, precision: str = "float32", deterministic: bool = True) -> None:
    """Set the random seed, the precision policy and, on TensorFlow, deterministic operations.

    Args:
        seed: random seed of Python, NumPy and the backend.
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
        deterministic: make TensorFlow's operations deterministic, so that runs are repeatable.
    """
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    if keras.config.backend() != "tensorflow":
        return
    if precision == "mixed_bfloat16":
        warn_of_slow_bfloat16()
    if deterministic:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def claim_output(output: str | os.PathLike, options: Mapping, *, restart: bool = False) -> Path:
    """Create a run's output folder, or re-enter it if it holds a run with the same options.

    Call this after the data have been read, so that a mistyped path leaves nothing behind. A run
    may be resumed with more `epochs` than before. Until the first state is saved there is nothing
    to resume, so the options may still change.

    Args:
        output: the folder.
        options: the run's options; "restart" is ignored.
        restart: discard an earlier run in the folder, with all its stages.

    Returns:
        The folder.

    Raises:
        ValueError: if `output` is a file, or holds a run with other options or, with more epochs,
            one whose state cannot be read.
        BlockingIOError: if another command trains into the folder.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`output` must be a folder. Received: output={str(output)!r} (a file)")
    folder.mkdir(parents=True, exist_ok=True)
    parts = [folder, *_stages(folder)]
    with run_lock([folder, *(part for part in parts[1:] if (part / STATE).exists())]):
        remove_partial(folder)
        path = folder / CONFIG
        now = {k: v for k, v in options.items() if k != "restart"}
        text = json.dumps(now, indent=2, default=str)
        now = json.loads(text)
        if restart:
            for part in parts:
                for name in (STATE, BEST, HISTORY):
                    (part / name).unlink(missing_ok=True)
                shutil.rmtree(part / LOGS, ignore_errors=True)
        elif path.exists() and any((part / STATE).exists() for part in parts):
            before = json.loads(path.read_text())
            changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
            if changed == ["epochs"] and (now["epochs"] or 0) > (before["epochs"] or 0):
                changed = []
                for part in parts:  # a state that cannot be read leaves the options as they were
                    if (part / STATE).exists():
                        read_state(part / STATE)
            if changed:
                shown = ", ".join(f"{k}={now.get(k)!r} (was {before.get(k)!r})" for k in changed)
                raise ValueError(
                    "`output` holds a run with other options: choose another folder, use the same "
                    "options (only `epochs` may grow), or set restart=True. "
                    f"Received: {shown} in {str(folder)!r}"
                )
        write_text(path, text)
    return folder


@contextlib.contextmanager
def run_lock(folders: Iterable[str | os.PathLike]) -> Iterator[None]:
    """Keep other commands from writing to a run's folders while the block runs.

    When several machines train together, only the first one writes, and locks.

    Raises:
        BlockingIOError: if another command writes to one of them; the message names its process.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders if machine() == 0 else ():
            Path(folder).mkdir(parents=True, exist_ok=True)
            stack.enter_context(folder_lock(folder, "The folder of a run"))
        yield


def _stages(folder: Path) -> list[Path]:
    """Folders of a run's stages; a folder with a configuration of its own is another run."""
    return [part for part in folder.iterdir() if part.is_dir() and not (part / CONFIG).exists()]


def run_facts(config: Any, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a trained model's card says about its run: "dataset", "command" and "options".

    The command is made from the options, so that it is right for a run that was started from
    Python too.

    Args:
        config: a recipe's `Config`.
        options: the options that the run was started with, by name; default those in `config`.

    Example: `run_facts(rmdn.Config(units=8))["command"]` is "zoo train rmdn --units 8".
    """
    options = dict(dataclasses.asdict(config) if options is None else options)
    options.pop("restart", None)
    options = json.loads(json.dumps(options, default=str))
    return {
        "dataset": _data_of(options),
        "command": shlex.join(["zoo", "train", _recipe_of(config), *_arguments(config, options)]),
        "options": options,
    }


def _recipe_of(config: Any) -> str:
    return type(config).__module__.rpartition(".")[2]


def _data_of(options: Mapping[str, Any]) -> str:
    """Names of the data sets; your own data are named with their file or folder, too."""
    folder = Path(options["data_dir"]).name
    named = options.get("dataset")
    if named is None:
        return folder
    first = f"{named} ({folder})" if named in OWN_DATA else named
    return ", ".join([first, *options.get("more", ())])


def _arguments(config: Any, options: Mapping[str, Any]) -> list[str]:
    """The options that are not the recipe's defaults, as the command line takes them."""
    found = []
    for field in dataclasses.fields(config):
        if field.name not in options:
            continue
        made = field.default_factory
        default = field.default if made is dataclasses.MISSING else made()
        default = None if default is dataclasses.MISSING else default
        value = options[field.name]
        if value == json.loads(json.dumps(default, default=str)):
            continue
        name = field.name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{name}" if value else f"--no-{name}")
            continue
        found.append(f"--{name}")
        if isinstance(value, Mapping):
            found += [str(part) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            found += [str(part) for part in value]
        else:
            found.append(str(value))
    return found
