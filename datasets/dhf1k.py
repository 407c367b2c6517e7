"""DHF1K: a thousand videos watched by 17 people.

ROOT/video/001.AVI (or frames in ROOT/video/0001 or ROOT/annotation/0001/images) and
ROOT/annotation/0001/{maps,fixation}/0001.png or .../fixation/maps/0001.mat
"""

from __future__ import annotations

from pathlib import Path

from zoo.datasets.gaze.eye_tracks import dhf1k_gaze
from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, settle
from zoo.datasets.record import Description, GazeSource, Record
from zoo.datasets.ucf_sports import fixation_folder

__all__ = ["CLASSES", "DESCRIPTION", "MAP_SIGMA", "listing", "load"]

CLASSES: tuple[str, ...] = ()
RANGES = {"train": range(1, 601), "validation": range(601, 701), "test": range(701, 1001)}
MAP_SIGMA = 12.74  # pixels at 640x360; a full width at half maximum of 30
SIZE = (360, 640)

DESCRIPTION = Description(
    name="dhf1k",
    counts={name: len(numbers) for name, numbers in RANGES.items()},
    licence="CC BY 4.0",
    home_page="https://github.com/wenguanwang/DHF1K",
    citation="W. Wang et al.: Revisiting Video Saliency: A Large-scale Benchmark. CVPR 2018.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    raw_gaze: str | Path | None = None,
    partial: bool = False,
) -> list[Record]:
    """Records of "train", "validation" or "test"; None gives all.

    The authors do not publish the annotation of the test split: its records have no gaze.

    Args:
        root: Folder with `video` and `annotation`.
        split: "train", "validation", "test" or None.
        raw_gaze: Folder of the viewers' recordings (`P001/P001_Trail0001.txt`), to be used
            instead of the fixation maps; unlike the maps, they tell the viewers apart.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split.

    Example: `zoo.datasets.dhf1k.load("data/DHF1K", "train")`
    """
    return settle(listing(root, raw_gaze=raw_gaze), split, partial=partial)


def listing(root: str | Path, *, raw_gaze: str | Path | None = None) -> Listing:
    """All thousand videos, by their numbers."""
    root = Path(root)
    require_files([root], "DHF1K")
    raw = None if raw_gaze is None else dhf1k_gaze(raw_gaze)
    records = []
    for split, numbers in RANGES.items():
        for number in numbers:
            folder = root / "annotation" / f"{number:04d}"
            if split == "test" and not (folder / "fixation").is_dir():
                gaze = None
            elif raw is not None:
                where = str(Path(raw_gaze) / f"P001/P001_Trail{number:04d}.txt")
                gaze = raw.get(number, GazeSource((where,)))  # will be reported as missing
            else:
                gaze = GazeSource((str(fixation_folder(folder)),), format="maps")
            maps = folder / "maps"
            records.append(
                Record(
                    name=f"{number:04d}",
                    video=_video(root, number),
                    split=split,
                    gaze=gaze,
                    truth_maps=str(maps) if maps.is_dir() else None,
                    dataset="dhf1k",
                )
            )
    return Listing("DHF1K", records, DESCRIPTION.counts, size=SIZE)


def _video(root: Path, number: int) -> str:
    places = (
        f"{root}/video/{number:03d}.AVI",
        f"{root}/video/{number:03d}.avi",
        f"{root}/video/{number:04d}",
        f"{root}/annotation/{number:04d}/images",
    )
    return next((place for place in places if Path(place).exists()), places[0])
