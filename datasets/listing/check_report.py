"""The result of `zoo check`: a one-screen summary, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zoo.datasets.listing.check_gaze import GazeLook, gaze_line
from zoo.datasets.listing.check_videos import Finding
from zoo.datasets.listing.listing import numbers, shown_number
from zoo.files.atomic import write_text
from zoo.files.printable import one_line

NAMES = 3  # names shown per line
WIDTH = 160
KINDS = {
    "unreadable": "unreadable videos",
    "short": "short videos",
    "frames": "inconsistent frame counts",
    "size": "inconsistent sizes",
    "maps": "unreadable maps",
    "gaze": "gaze problems",
    "boxes": "wrong boxes",
    "segments": "wrong segments",
    "damaged": "damaged videos",
    "interlaced": "interlaced videos",
    "frame rate": "videos without a frame rate",
    "header": "headers with a wrong frame count",
}
LOOKS = {
    "all": "every frame decoded",
    "first": "only the first frame decoded",
    "none": "not opened",
}


@dataclass(frozen=True)
class Counts:
    """Number of videos of one split.

    Args:
        listing: Name of the data set.
        split: Name of the split.
        named: Number listed in the annotation.
        there: Number on disk.
        published: Published number; a tuple if sources differ.
    """

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
    """The result of checking a data set's folder; `ok` is true if there are no problems.

    Args:
        dataset: Name of the data set.
        root: The folder.
        counts: Numbers of videos of each split.
        missing: Files that the annotation needs but that do not exist.
        surplus: Videos that the annotation does not list.
        lost: Annotation of videos that do not exist.
        findings: What was found inside the files.
        gaze: The result of checking each video's gaze.
        notes: What a user should know.
        errors: Why the annotation cannot be used.
        decode: Which frames were decoded: "all", "first" or "none".
        looked: Number of videos checked.
        frames: Number of frames decoded.
        seconds: Duration of the check.
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
        """One phrase for each problem; empty if the folder is in order."""
        found = list(self.errors)
        wrong = [counts for counts in self.counts if not counts.right]
        if wrong:
            found.append(f"{len(wrong)} counts differ from the published ones")
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
        """The whole report as JSON."""
        held = {"ok": self.ok, "problems": self.problems, **asdict(self)}
        return json.dumps(held, indent=1)

    def write(self, path: str | Path) -> None:
        """Write the JSON to a file, atomically."""
        write_text(path, self.to_json())

    def summary(self) -> str:
        """A summary of about one screen of text."""
        lines = [one_line(f"{self.dataset} in {self.root}")]
        if self.counts:
            lines.append(f"  {'':<26}{'listed':>9}{'published':>14}{'on disk':>9}")
        for counts in self.counts:
            published = "-" if counts.published is None else shown_number(counts.published)
            mark = "" if counts.right and counts.there == counts.named else "  <-"
            name = one_line(f"{counts.listing} {counts.split}")[:26]
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
        lines += [f"  note: {one_line(note)}"[:WIDTH] for note in self.notes]
        if self.counts:
            frames = f", {self.frames} frames" if self.decode == "all" else ""
            done = f"{LOOKS[self.decode]}{frames}; {self.seconds:.0f} s"
            lines.append(f"  {self.looked} videos, {done}")
        lines.append("No problems found." if self.ok else "Problems: ")
        if not self.ok:
            lines[-1] += one_line("; ".join(self.problems))
        return "\n".join(lines)

    @staticmethod
    def _line(what: str, names: list[str]) -> str:
        more = " ..." if len(names) > NAMES else ""
        first = "; ".join(name if len(name) < 90 else f"...{name[-86:]}" for name in names[:NAMES])
        first = one_line(first)
        line = f"  {what:<34}{len(names):>7}  {first}{more}".rstrip()
        return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
