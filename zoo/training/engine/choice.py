"""Which epoch of a run is the best one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Choice:
    """The best epoch so far.

    Args:
        epoch: its number, from 0; -1 before the first epoch.
        value: its monitored value; None where nothing is monitored.
        waited: epochs since then.
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
    """The best epoch of a history, recomputed from all of it, so that a resume changes nothing.

    Args:
        history: the logs of every epoch.
        monitor: which value is compared; None makes every epoch better than those before.
        larger_is_better: whether a larger value is a better one.
        min_delta: a value must be better by more than this. Any number is better than NaN.

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
