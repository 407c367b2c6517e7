"""What `zoo check` found: one screen for people, all of it as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zoo.datasets.listing.check_gaze import GazeLook, gaze_line
from zoo.datasets.listing.check_videos import Finding
from zoo.datasets.listing.listing import numbers, shown_number
from zoo.files.atomic import atomic_path

NAMES = 3  # names shown a line
WIDTH = 160
KINDS = {
    "unreadable": "unreadable videos",
    "short": "short videos",
    "frames": "numbers of frames that disagree",
    "size": "sizes that disagree",
    "maps": "maps that cannot be read",
    "gaze": "gaze",
    "boxes": "boxes",
    "segments": "segments",
    "damaged": "damaged videos",
    "interlaced": "interlaced videos",
    "frame rate": "videos whose frame rate nothing states",
    "header": "headers that miscount the frames",
}
LOOKS = {
    "all": "every frame decoded",
    "first": "the first frame decoded",
    "none": "not opened",
}


@dataclass(frozen=True)
class Counts:
    """The videos of one split: named by the annotation, published, and on the disk."""

    listing: str
    split: str
    named: int
    there: int
    published: int | tuple[int, ...] | None = None

    @property
    def right(self) -> bool:
        return self.published is None or self.named in numbers(self.published)


@dataclass(frozen=True)
class Report:
    """The state of a data set's folder; `ok` says whether it is what it should be.

    Args:
        dataset: Name of the data set.
        root: The folder.
        counts: Of all splits.
        missing: Files that the annotation needs and that are not there.
        surplus: Videos that no annotation names.
        lost: Annotation of videos that are not there.
        findings: What the look into the files found.
        gaze: What the gaze of each video looks like.
        notes: What a user should know.
        errors: Why the annotation cannot be used.
        decode: How the videos were looked at: "all", "first" or "none".
        looked: Number of videos looked at.
        frames: Number of frames that decoded.
        seconds: How long the check took.
    """

    dataset: str
    root: str
    counts: Sequence[Counts] = ()
    missing: Sequence[str] = ()
    surplus: Sequence[str] = ()
    lost: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    gaze: Sequence[GazeLook] = ()
    notes: Sequence[str] = ()
    errors: Sequence[str] = ()
    decode: str = "all"
    looked: int = 0
    frames: int = 0
    seconds: float = field(default=0.0, compare=False)

    @property
    def problems(self) -> list[str]:
        """What is wrong, a phrase each; empty where the folder is what it should be."""
        found = list(self.errors)
        wrong = [counts for counts in self.counts if not counts.right]
        if wrong:
            found.append(f"{len(wrong)} counts differ from the published")
        if self.missing:
            found.append(f"{len(self.missing)} files missing")
        if self.lost:
            found.append(f"{len(self.lost)} annotations without videos")
        if self.surplus:
            found.append(f"{len(self.surplus)} videos without labels")
        serious = [finding.kind for finding in self.findings if finding.serious]
        found += [f"{serious.count(k)} {what}" for k, what in KINDS.items() if k in serious]
        return found

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> str:
        """Everything, for programs."""
        held = {"ok": self.ok, "problems": self.problems, **asdict(self)}
        return json.dumps(held, indent=1)

    def write(self, path: str | Path) -> None:
        """The JSON as a file, whole or not at all."""
        with atomic_path(path) as part:
            part.write_text(self.to_json(), encoding="utf-8")

    def summary(self) -> str:
        """One screen of text."""
        lines = [f"{self.dataset} in {self.root}"]
        if self.counts:
            lines.append(f"  {'':<26}{'named':>9}{'published':>14}{'there':>9}")
        for counts in self.counts:
            published = "-" if counts.published is None else shown_number(counts.published)
            mark = "" if counts.right and counts.there == counts.named else "  <-"
            name = f"{counts.listing} {counts.split}"[:26]
            lines.append(f"  {name:<26}{counts.named:>9}{published:>14}{counts.there:>9}{mark}")
        if self.counts:
            for what, names in (
                ("missing files", self.missing),
                ("videos without labels", self.surplus),
                ("annotations without videos", self.lost),
            ):
                lines.append(self._line(what, list(names)))
        for kind, what in KINDS.items():
            for serious, mark in ((True, ""), (False, " (notice)")):
                here = [f for f in self.findings if f.kind == kind and f.serious == serious]
                if here:
                    lines.append(self._line(what + mark, [f"{f.video}: {f.text}" for f in here]))
        if self.gaze:
            lines.append(f"  {gaze_line(self.gaze)}")
        lines += [f"  note: {note}"[:WIDTH] for note in self.notes]
        if self.counts:
            told = f", {self.frames} frames" if self.decode == "all" else ""
            told = f"{LOOKS[self.decode]}{told}; {self.seconds:.0f} s"
            lines.append(f"  {self.looked} videos, {told}")
        lines.append("As it should be." if self.ok else "NOT as it should be: ")
        if not self.ok:
            lines[-1] += "; ".join(self.problems)
        return "\n".join(lines)

    @staticmethod
    def _line(what: str, names: list[str]) -> str:
        more = " ..." if len(names) > NAMES else ""
        told = "; ".join(name if len(name) < 90 else f"...{name[-86:]}" for name in names[:NAMES])
        line = f"  {what:<34}{len(names):>7}  {told}{more}".rstrip()
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
