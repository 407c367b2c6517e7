"""UCF-Sports with gaze, in the folders in which it is redistributed with DHF1K.

ROOT/{training,testing}/Diving-Side-001/{images,maps,fixation}/Diving-Side_001_001.png
"""

from __future__ import annotations

from pathlib import Path

from zoo.datasets.checks import require_count, require_files, require_split
from zoo.datasets.gaze import GazeSource
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "MAP_SIGMA", "load"]

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
MAP_SIGMA = 20.0  # pixels, of the Gaussian of the shipped maps

DESCRIPTION = Description(
    name="ucf_sports",
    classes=CLASSES,
    counts={"train": 103, "test": 47},
    licence="research use",
    home_page="https://www.crcv.ucf.edu/data/UCF_Sports_Action.php",
    citation="S. Mathe, C. Sminchisescu: Actions in the Eye. IEEE TPAMI 37(7), 2015.",
)


def load(root: str | Path, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """Records of "train", "test", or both with None.

    Args:
        root: Folder with `training` and `testing`.
        split: "train", "test" or None.
        partial: Accept fewer videos than published.
    """
    require_split(split, FOLDERS)
    records = []
    for name in [split] if split else list(FOLDERS):
        folder = Path(root) / FOLDERS[name]
        if split is None and partial and not folder.is_dir():
            continue
        require_files([folder], f"UCF-Sports {name}")
        videos = sorted(path for path in folder.iterdir() if path.is_dir())
        require_count(len(videos), DESCRIPTION.counts[name], f"UCF-Sports {name}", partial=partial)
        require_files(
            [video / part for video in videos for part in ("images", "fixation")],
            f"UCF-Sports {name}",
        )
        records += [_record(video, name) for video in videos]
    return records


def _record(folder: Path, split: str) -> Record:
    label = [n for n, name in enumerate(CLASSES) if folder.name.startswith(name)]
    maps = folder / "maps"
    return Record(
        name=folder.name,
        video=str(folder / "images"),
        split=split,
        label=label[0] if label else None,
        gaze=GazeSource((str(fixation_folder(folder)),), format="maps"),
        truth_maps=str(maps) if maps.is_dir() else None,
        dataset="ucf_sports",
    )


def fixation_folder(folder: Path) -> Path:
    """The folder of fixation maps: pictures in `fixation`, else mat files in `fixation/maps`."""
    fixation = folder / "fixation"
    if not any(fixation.glob("*.png")) and (fixation / "maps").is_dir():
        return fixation / "maps"
    return fixation
