"""How far a run is."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Progress:
    """How far a run is: what the state file holds beside the weights.

    Args:
        epoch: finished epochs.
        step: finished steps of the epoch under way.
        seconds: training time over all processes of the run.
        history: the logs of every finished epoch.
        stopped: whether early stopping, or another callback, ended the run.
        best_epoch: number of the best epoch, from 0.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    stopped: bool = False
    best_epoch: int = -1
