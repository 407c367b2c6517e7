"""Gaze samples as the tracker wrote them, before they are mapped to a video."""

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
        viewer: Index of the viewer in `names`.
        names: Names of the viewers.
        duration: Duration of each element in seconds, if elements are fixations.
        issues: Reason -> number of samples left out.
        resolution: Resolution of `moment` in the file (0: unknown).
        notes: How the samples were processed.
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
        """The samples selected by the mask; the others are counted under the reason `why`."""
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
    """All samples together; equal names are the same viewer. Names are sorted naturally."""
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
    """Sort key that puts 10 after 9 and keeps names that differ only in zeros (1, 01) distinct."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(p), p) if p.isdecimal() else (-1, p) for p in parts if p), name
