"""UCF-Sports as published: 150 videos of 10 actions, with the recordings of 16 viewers.

ROOT/<Class>/<NNN>/*.avi (also below `ucf action`) and the gaze in ROOT/gaze_ucfsa
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zoo.datasets.gaze.eye_tracks import EVENTS, clip_facts, clip_gaze
from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Facts, Listing, files_below, settle
from zoo.datasets.record import Description, Record
from zoo.datasets.ucf_sports import CLASSES, class_of
from zoo.datasets.video.source import PICTURES

__all__ = ["CLASSES", "DESCRIPTION", "TEST_FIRST", "listing", "load"]

# The usual split (Lan et al., 2011): the first third of every class is the test split.
TEST_FIRST = (4, 6, 6, 2, 4, 4, 4, 6, 4, 7)
VIDEOS = (".avi", ".mp4", ".mov")
FOLDERS = ("ucf_sports_actions/ucf action", "ucf action")
GAZE = "gaze_ucfsa"

DESCRIPTION = Description(
    name="ucf_sports_videos",
    classes=CLASSES,
    counts={"train": 103, "test": 47},
    licence="research use",
    home_page="https://www.crcv.ucf.edu/data/UCF_Sports_Action.php",
    citation="M. D. Rodriguez et al.: Action MACH. CVPR 2008; S. Mathe, C. Sminchisescu: Actions "
    "in the Eye. IEEE TPAMI 37(7), 2015.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    gaze: str | Path | None = None,
    events: Sequence[str] = EVENTS,
    partial: bool = False,
) -> list[Record]:
    """Records of "train" or "test"; None gives both.

    Args:
        root: Folder that contains the class folders or `ucf action`.
        split: "train", "test" or None.
        gaze: Folder of the gaze recordings; None: `gaze_ucfsa` in `root`, if it exists.
        events: Which gaze samples to use: "F" (fixations), "S" (saccades).
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split.

    Example: `zoo.datasets.ucf_sports_videos.load("data/ucf_sports_actions", "train")`
    """
    return settle(listing(root, gaze=gaze, events=events), split, partial=partial)


def listing(
    root: str | Path, *, gaze: str | Path | None = None, events: Sequence[str] = EVENTS
) -> Listing:
    """All videos found in the folders; there is no published list."""
    root = Path(root)
    require_files([root], "UCF-Sports")
    videos = next((root / name for name in FOLDERS if (root / name).is_dir()), root)
    if gaze is None and (root / GAZE).is_dir():
        gaze = root / GAZE
    tracks = {} if gaze is None else {_plain(k): v for k, v in clip_gaze(gaze, events).items()}
    sizes = {} if gaze is None else {_plain(k): v for k, v in clip_facts(gaze).items()}
    found = _videos(videos)
    counted = [0] * len(CLASSES)
    records, facts, odd = [], {}, []
    for name, video in found:
        label = class_of(name)
        if label is None:
            odd.append(video)
            continue
        keys = (_plain(name), _plain(Path(video).stem))
        fact: Facts | None = next((sizes[key] for key in keys if key in sizes), None)
        if fact is not None:
            facts[name] = fact
        records.append(
            Record(
                name=name,
                video=video,
                split="test" if counted[label] < TEST_FIRST[label] else "train",
                label=label,
                gaze=next((tracks.pop(key) for key in keys if key in tracks), None),
                dataset="ucf_sports_videos",
            )
        )
        counted[label] += 1
    blind = [record.name for record in records if record.gaze is None]
    notes = [f"{len(blind)} videos without gaze: {', '.join(blind[:10])}"] if blind else []
    lost = [f"gaze of {clip}" for clip in tracks]
    return Listing("UCF-Sports", records, DESCRIPTION.counts, odd, notes, facts, lost=lost)


def _videos(folder: Path) -> list[tuple[str, str]]:
    """Names and paths: a file, or a folder of pictures, in <Class>/<NNN>."""
    found = []
    for label in sorted(child for child in folder.iterdir() if child.is_dir()):
        if label.name == GAZE:
            continue
        for part in sorted(child for child in label.iterdir() if child.is_dir()):
            files = files_below(part, VIDEOS, 0)
            name = f"{label.name}-{part.name}"
            if files:
                found.append((name, files[0]))
            elif files_below(part, PICTURES, 0):
                found.append((name, str(part)))
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
