"""DIEM: about 84 videos of many kinds, each watched by about 50 people.

ROOT/<clip>/video/<clip>.mp4 and ROOT/<clip>/event_data/diem<D>s<NN>.asc
"""

from __future__ import annotations

from pathlib import Path

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, files_below, settle
from zoo.datasets.record import Description, GazeSource, Record

__all__ = ["CLASSES", "DESCRIPTION", "listing", "load"]

CLASSES: tuple[str, ...] = ()
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".m4v")

DESCRIPTION = Description(
    name="diem",
    counts={"all": 85},
    licence="CC BY-NC-SA 3.0",
    home_page="https://thediemproject.wordpress.com",
    citation="P. K. Mital et al.: Clustering of Gaze During Dynamic Scene Viewing is Predicted by "
    "Motion. Cognitive Computation 3(1), 2011.",
)


def load(root: str | Path, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """Records of all videos; the data set has no splits.

    Args:
        root: Folder with one folder for each clip.
        split: None.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: `split` is not None.

    Example: `zoo.datasets.diem.load("data/DIEM")`
    """
    return settle(listing(root), split, partial=partial)


def listing(root: str | Path) -> Listing:
    """All clips found in the folders; there is no published list.

    Copies of 84 and of 85 clips are in use, so both counts are accepted.
    """
    root = Path(root)
    require_files([root], "DIEM")
    records, odd, blind = [], [], []
    for folder in sorted(child for child in root.iterdir() if child.is_dir()):
        files = [file for file in files_below(folder / "event_data", ("",), 0) if _is_gaze(file)]
        found = files_below(folder / "video", VIDEOS, 0) or files_below(folder, VIDEOS, 0)
        if not files and not found:
            odd.append(str(folder))
            continue
        if not files:
            blind.append(folder.name)
        records.append(
            Record(
                name=folder.name,
                video=found[0] if found else str(folder / "video" / f"{folder.name}.mp4"),
                gaze=GazeSource(tuple(files), format="diem") if files else None,
                dataset="diem",
            )
        )
    notes = [f"{len(blind)} videos without gaze: {', '.join(blind[:10])}"] if blind else []
    notes += [f"folders that are not clips: {', '.join(odd[:10])}"] if odd else []
    return Listing("DIEM", records, {"all": (84, 85)}, (), notes)


def _is_gaze(path: str) -> bool:
    name = Path(path).name  # diem5s01.asc, and diem5s01.asc_15_<clip>.txt in other copies
    return name.startswith("diem") and ".asc" in name
