"""UCF-Sports with gaze, in the folder layout in which DHF1K redistributes it.

ROOT/{training,testing}/Diving-Side-001/{images,maps,fixation}/Diving-Side_001_001.png
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, settle
from zoo.datasets.record import Description, GazeSource, Record

__all__ = ["CLASSES", "DESCRIPTION", "MAP_SIGMA", "listing", "load"]

CLASSES = (
    "Diving",
    "Golf-Swing",
    "Kicking",
    "Lifting",
    "Riding-Horse",
    "Run",
    "SkateBoarding",
    "Swing-Bench",
    "Swing-Side",
    "Walk",
)
FOLDERS = {"train": "training", "test": "testing"}
MAP_SIGMA = 20.0  # pixels; the Gaussian that the shipped maps were blurred with

DESCRIPTION = Description(
    name="ucf_sports",
    classes=CLASSES,
    counts={"train": 103, "test": 47},
    licence="research use",
    home_page="https://github.com/wenguanwang/DHF1K",
    citation="S. Mathe, C. Sminchisescu: Actions in the Eye. IEEE TPAMI 37(7), 2015.",
)


def load(root: str | Path, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """Records of "train" or "test"; None gives both.

    Args:
        root: Folder with `training` and `testing`.
        split: "train", "test" or None.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split.

    Example: `zoo.datasets.ucf_sports.load("data/UCF", "train")`
    """
    return settle(listing(root), split, partial=partial)


def listing(root: str | Path) -> Listing:
    """All videos found in the folders; there is no published list."""
    return image_listing(root, "UCF-Sports", DESCRIPTION, class_of)


def class_of(name: str) -> int | None:
    """The class index that a video's name begins with, or None."""
    plain = name.replace("_", "-")
    return next((at for at, label in enumerate(CLASSES) if plain.startswith(label)), None)


def image_listing(
    root: str | Path,
    title: str,
    description: Description,
    label_of: Callable[[str], int | tuple[int, ...] | None],
) -> Listing:
    """The videos of a data set in the layout of DHF1K: folders of frames, maps and fixations."""
    root = Path(root)
    require_files([root], title)
    records, odd = [], []
    for split, name in FOLDERS.items():
        folder = root / name
        for video in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not video.is_dir():
                odd.append(str(video))
                continue
            maps = video / "maps"
            records.append(
                Record(
                    name=video.name,
                    video=f"{video}/images",
                    split=split,
                    label=label_of(video.name),
                    gaze=GazeSource((str(fixation_folder(video)),), format="maps"),
                    truth_maps=str(maps) if maps.is_dir() else None,
                    dataset=description.name,
                )
            )
    gone = [f"no folder {root / name}" for name in FOLDERS.values() if not (root / name).is_dir()]
    return Listing(title, records, description.counts, odd, gone)


def fixation_folder(folder: Path) -> Path:
    """The folder of fixation maps: `fixation` (png files), else `fixation/maps` (mat files)."""
    fixation = folder / "fixation"
    if not any(fixation.glob("*.png")) and (fixation / "maps").is_dir():
        return fixation / "maps"
    return fixation
