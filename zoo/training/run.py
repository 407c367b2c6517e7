"""The folder of a run, and what is set before one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import keras

from zoo.files.atomic import atomic_path, remove_partial

STATE = "state.npz"
BEST = "best.keras"
HISTORY = "history.json"
CONFIG = "config.json"


def prepare_run(seed: int, *, precision: str = "float32", deterministic: bool = True) -> None:
    """Seed everything, set the precision policy, and ask for the same sums in every run."""
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(precision)
    if deterministic and keras.config.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def claim_output(output: str | os.PathLike, options: Mapping, *, restart: bool = False) -> Path:
    """Make the run's folder, or enter it again when it belongs to a run of the same options.

    To be called once the data are read, so that a mistyped path leaves nothing behind. A run may
    go on with more `epochs` than it was started with.

    Args:
        output: the folder.
        options: the run's options; "restart" is not one of them.
        restart: forget an earlier run in the folder.
    """
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`output` must be a folder. Received: output={str(output)!r} (a file)")
    folder.mkdir(parents=True, exist_ok=True)
    remove_partial(folder)
    path = folder / CONFIG
    now = {k: v for k, v in options.items() if k != "restart"}
    text = json.dumps(now, indent=2, default=str)
    now = json.loads(text)
    if restart:
        for name in (STATE, BEST, HISTORY):
            (folder / name).unlink(missing_ok=True)
    elif path.exists():
        before = json.loads(path.read_text())
        changed = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
        if changed == ["epochs"] and (now["epochs"] or 0) > (before["epochs"] or 0):
            changed = []
        if changed:
            shown = ", ".join(f"{k}={now.get(k)!r} (was {before.get(k)!r})" for k in changed)
            raise ValueError(
                "`output` holds a run of other options: give another folder, the same options "
                "(only `epochs` may grow), or restart=True. "
                f"Received: {shown} in {str(folder)!r}"
            )
    with atomic_path(path) as part:
        part.write_text(text)
    return folder
