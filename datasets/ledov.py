"""LEDOV: 538 videos, each watched by 32 people.

ROOT/<video>/Data.mat and ROOT/<video>/<video>.mp4 (or the file beside the folder)
"""

from __future__ import annotations

import os
from pathlib import Path

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, files_below, lines_of, settle
from zoo.datasets.record import Description, GazeSource, Record

__all__ = ["CLASSES", "DESCRIPTION", "listing", "load"]

CLASSES: tuple[str, ...] = ()
VIDEOS = (".mp4", ".avi", ".mov", ".mkv")
SPLITS = {"train": "training.txt", "validation": "validation.txt", "test": "testing.txt"}

DESCRIPTION = Description(
    name="ledov",
    counts={"all": 538},
    licence="research use",
    home_page="https://github.com/remega/LEDOV-eye-tracking-database",
    citation="L. Jiang et al.: DeepVS: A Deep Learning Based Video Saliency Prediction Approach. "
    "ECCV 2018.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    lists: str | Path | None = None,
    partial: bool = False,
) -> list[Record]:
    """Records of all videos, or of one split if there are lists.

    Args:
        root: Folder with one folder for each video.
        split: None; with `lists` also "train", "validation" or "test".
        lists: Folder of training.txt, validation.txt and testing.txt, with one video per line.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split.

    Example: `zoo.datasets.ledov.load("data/LEDOV")`
    """
    return settle(listing(root, lists=lists), split, partial=partial)


def listing(root: str | Path, *, lists: str | Path | None = None) -> Listing:
    """All videos found in the folders; there is no published list."""
    root = Path(root)
    require_files([root], "LEDOV")
    split_of: dict[str, str] = {}
    if lists is not None:
        split_of = {
            _name(line): split
            for split, file in SPLITS.items()
            for line in lines_of(Path(lists) / file)
        }
    records = []
    for file in sorted(root.glob("*/Data.mat")):
        name = file.parent.name
        found = files_below(file.parent, VIDEOS, 0)
        beside = [
            f"{root / name}{ending}" for ending in VIDEOS if Path(f"{root / name}{ending}").exists()
        ]
        records.append(
            Record(
                name=name,
                video=(found or beside or [str(file.parent / f"{name}.mp4")])[0],
                split=split_of.pop(name, None),
                gaze=GazeSource((str(file),), format="ledov"),
                dataset="ledov",
            )
        )
    held = {record.name for record in records}
    surplus = [path for path in files_below(root, VIDEOS, 0) if Path(path).stem not in held]
    surplus += [
        path
        for folder in root.iterdir()
        if folder.is_dir() and folder.name not in held
        for path in files_below(folder, VIDEOS, 0)
    ]
    return Listing(
        "LEDOV", records, DESCRIPTION.counts, surplus, lost=sorted(split_of) if split_of else ()
    )


def _name(line: str) -> str:
    stem, ending = os.path.splitext(line)
    return stem if ending.lower() in VIDEOS else line
