"""Samples of gaze as a tracker wrote them, before they are placed in a video."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

COLUMNS = ("x", "y", "moment", "viewer")


@dataclass
class RawGaze:
    """Samples of one or several viewers, one array element each.

    Args:
        x: Horizontal coordinate, in the file's units.
        y: Vertical coordinate, in the file's units.
        moment: Time or frame number, in the file's units.
        viewer: Place of the viewer in `names`.
        names: The viewers.
        duration: Of each row in seconds, where rows are fixations.
        issues: Counted samples that were left out, and why.
        resolution: Step in which the file writes `moment` (0: not known).
        notes: What was done to the samples.
    """

    x: np.ndarray
    y: np.ndarray
    moment: np.ndarray
    viewer: np.ndarray
    names: tuple[str, ...]
    duration: np.ndarray | None = None
    issues: Counter[str] = field(default_factory=Counter)
    resolution: float = 0.0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def keep(self, mask: np.ndarray, why: str = "lost by the tracker") -> RawGaze:
        """The samples of the mask; the others are counted by the reason."""
        dropped = len(mask) - int(np.count_nonzero(mask))
        if not dropped:
            return self
        kept = {name: getattr(self, name)[mask] for name in COLUMNS}
        duration = None if self.duration is None else self.duration[mask]
        issues = self.issues + Counter({why: dropped})
        return RawGaze(
            **kept,
            names=self.names,
            duration=duration,
            issues=issues,
            resolution=self.resolution,
            notes=self.notes,
        )


def joined(parts: Sequence[RawGaze]) -> RawGaze:
    """All samples; viewers of one name are one viewer. Viewers are numbered in natural order."""
    names = sorted({name for part in parts for name in part.names}, key=_natural)
    number = {name: at for at, name in enumerate(names)}
    viewer = [
        np.array([number[name] for name in part.names] or [0], np.int32)[part.viewer]
        for part in parts
    ]
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("x", "y")}
    timed = [part.duration is not None for part in parts]
    duration = None
    if any(timed):
        duration = np.concatenate(
            [np.zeros(len(part)) if part.duration is None else part.duration for part in parts]
        )
    return RawGaze(
        **whole,
        moment=np.concatenate([part.moment for part in parts]),
        viewer=np.concatenate(viewer),
        names=tuple(names),
        duration=duration,
        issues=sum((part.issues for part in parts), Counter()),
        resolution=max((part.resolution for part in parts), default=0.0),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _natural(name: str) -> tuple:
    """10 after 9; names that differ in zeros alone (1, 01) stay apart."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(p), p) if p.isdecimal() else (-1, p) for p in parts if p), name
