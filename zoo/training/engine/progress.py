"""The progress of a training run."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Progress:
    """Progress of a training run, saved in the state file with the weights.

    Args:
        epoch: number of finished epochs.
        step: number of finished steps in the current epoch.
        seconds: training time so far, in seconds, over all processes of the run.
        history: the logs of each finished epoch.
        stopped: whether early stopping or another callback ended the run.
        best_epoch: number of the best epoch, counted from 0; -1 if there is none.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    stopped: bool = False
    best_epoch: int = -1
