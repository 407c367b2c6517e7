"""Compares runs of recipes that are interrupted at some steps with an uninterrupted run."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import zoo
from zoo.training.engine.state import State


@contextlib.contextmanager
def broken_off(after: int):
    """Interrupt the training inside this block after a number of steps."""
    real, seen = State.on_train_batch_end, []

    def counted(self, batch, logs=None):
        real(self, batch, logs)
        seen.append(batch)
        if len(seen) == after:
            raise KeyboardInterrupt

    State.on_train_batch_end = counted
    try:
        yield
    finally:
        State.on_train_batch_end = real


def compare(main: Callable, config, folder: Path, steps: Sequence[int], model="model.keras"):
    """Fail unless a run interrupted after each of these steps ends like an uninterrupted one.

    Returns the results of the uninterrupted run.
    """
    config = dataclasses.replace(config, save_seconds=0.0)
    whole = dataclasses.replace(config, output=str(folder / "whole"))
    results = main(whole)
    broken = dataclasses.replace(config, output=str(folder / "broken"))
    for after in steps:
        try:
            with broken_off(after):
                main(broken)
        except KeyboardInterrupt:
            continue
        raise AssertionError(f"the run was through before {after} steps")
    main(broken)
    one, other = (zoo.load(folder / name / model) for name in ("whole", "broken"))
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    paths = (folder / name / "history.json" for name in ("whole", "broken"))
    one, other = (json.loads(path.read_text()) for path in paths)
    assert one == other
    return results
