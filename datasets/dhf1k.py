"""DHF1K: a thousand videos watched by 17 people.

ROOT/video/001.AVI (or frames in ROOT/video/0001 or ROOT/annotation/0001/images) and
ROOT/annotation/0001/{maps,fixation}/0001.png or .../fixation/maps/0001.mat
"""

from __future__ import annotations

from pathlib import Path

from zoo.datasets.checks import require_count, require_files, require_split
from zoo.datasets.gaze import GazeSource
from zoo.datasets.record import Description, Record
from zoo.datasets.ucf_sports import fixation_folder

__all__ = ["CLASSES", "DESCRIPTION", "MAP_SIGMA", "load"]

CLASSES: tuple[str, ...] = ()
RANGES = {"train": range(1, 601), "validation": range(601, 701), "test": range(701, 1001)}
MAP_SIGMA = 12.74  # pixels at 640x360: a full width at half maximum of 30

DESCRIPTION = Description(
    name="dhf1k",
    counts={name: len(numbers) for name, numbers in RANGES.items()},
    licence="CC BY 4.0",
    home_page="https://github.com/wenguanwang/DHF1K",
    citation="W. Wang et al.: Revisiting Video Saliency: A Large-scale Benchmark. CVPR 2018.",
)


def load(root: str | Path, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """Records of "train", "validation", "test", or all with None.

    The annotation of the test split is held out by its authors: those records have no gaze.

    Args:
        root: Folder with `video` and `annotation`.
        split: "train", "validation", "test" or None.
        partial: Accept fewer videos than published.
    """
    require_split(split, RANGES)
    root = Path(root)
    require_files([root], "DHF1K")
    records = []
    for name in [split] if split else list(RANGES):
        found = {number: video for number in RANGES[name] if (video := _video(root, number))}
        if found or not (partial and split is None):
            require_count(len(found), len(RANGES[name]), f"DHF1K {name}", partial=partial)
        if name != "test":
            require_files(
                [root / "annotation" / f"{number:04d}" / "fixation" for number in found],
                f"DHF1K {name}",
            )
        records += [_record(root, number, video, name) for number, video in found.items()]
    return records


def _video(root: Path, number: int) -> Path | None:
    places = (
        root / "video" / f"{number:03d}.AVI",
        root / "video" / f"{number:03d}.avi",
        root / "video" / f"{number:04d}",
        root / "annotation" / f"{number:04d}" / "images",
    )
    return next((place for place in places if place.exists()), None)


def _record(root: Path, number: int, video: Path, split: str) -> Record:
    folder = root / "annotation" / f"{number:04d}"
    gaze = None
    if (folder / "fixation").is_dir():
        gaze = GazeSource((str(fixation_folder(folder)),), format="maps")
    return Record(
        name=f"{number:04d}",
        video=str(video),
        split=split,
        gaze=gaze,
        truth_maps=str(folder / "maps") if (folder / "maps").is_dir() else None,
        dataset="dhf1k",
    )
