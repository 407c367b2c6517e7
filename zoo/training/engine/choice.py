"""Selects the best epoch of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Choice:
    """The best epoch so far.

    Args:
        epoch: its number, counted from 0; -1 before the first epoch.
        value: its monitored value; None if nothing is monitored.
        waited: number of epochs trained since the best one.
    """

    epoch: int = -1
    value: float | None = None
    waited: int = 0


def choose(
    history: Sequence[Mapping[str, float]],
    monitor: str | None,
    *,
    larger_is_better: bool = False,
    min_delta: float = 0.0,
) -> Choice:
    """Find the best epoch in a history.

    The choice is recomputed from the whole history, so resuming a run does not change it.

    Args:
        history: the logs of each epoch.
        monitor: name of the value to compare; None treats each epoch as better than those
            before it.
        larger_is_better: whether larger values of `monitor` are better.
        min_delta: an improvement must exceed this. Any number is better than NaN.

    Raises:
        ValueError: if `monitor` is not among the logged values.

    Example: `choose([{"val_loss": 2.0}, {"val_loss": 3.0}], "val_loss").epoch` is 0.
    """
    if monitor is None:
        return Choice(len(history) - 1)
    best, at = None, -1
    for epoch, logs in enumerate(history):
        if monitor not in logs:
            raise ValueError(
                f"`monitor` must be one of {sorted(logs)}. Received: monitor={monitor!r}"
            )
        value = float(logs[monitor])
        gain = 0.0 if best is None else (value - best if larger_is_better else best - value)
        if best is None or math.isnan(best) or gain > min_delta:
            best, at = value, epoch
    return Choice(at, best, len(history) - 1 - at)
