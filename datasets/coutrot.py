"""Coutrot's first database: 60 videos, each watched by 72 people, 18 per sound condition.

ROOT/coutrot_database1.mat and ROOT/ERB3_Stimuli/<clip>.avi
"""

from __future__ import annotations

import os
from pathlib import Path

from zoo.datasets.gaze.forms import coutrot_clips
from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Facts, Listing, files_below, settle
from zoo.datasets.record import Description, GazeSource, Record

__all__ = ["CLASSES", "DESCRIPTION", "listing", "load"]

CLASSES: tuple[str, ...] = ()
FILES = ("coutrot_database1.mat", "Coutrot_Database1.mat")
FOLDERS = ("ERB3_Stimuli", "videos", "")
VIDEOS = (".avi", ".mp4", ".mov", ".mkv")

DESCRIPTION = Description(
    name="coutrot",
    counts={"all": 60},
    licence="research use",
    home_page="http://antoinecoutrot.magix.net/public/databases.html",
    citation="A. Coutrot, N. Guyader: How saliency, faces, and sound influence gaze in dynamic "
    "social scenes. Journal of Vision 14(8), 2014.",
)


def load(root: str | Path, split: str | None = None, *, partial: bool = False) -> list[Record]:
    """Records of all videos; the data set has no splits.

    The viewers of all sound conditions of a clip are pooled.

    Args:
        root: Folder with the mat file and the videos.
        split: None.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: `split` is not None.

    Example: `zoo.datasets.coutrot.load("data/coutrot")`
    """
    return settle(listing(root), split, partial=partial)


def listing(root: str | Path) -> Listing:
    """All clips of the mat file."""
    root = Path(root)
    file = next((root / name for name in FILES if (root / name).is_file()), root / FILES[0])
    require_files([root, file], "Coutrot's database")
    folder = next(root / name for name in FOLDERS if (root / name).is_dir())
    there = {
        os.path.splitext(os.path.basename(path))[0]: path for path in files_below(folder, VIDEOS, 0)
    }
    clips = coutrot_clips(file)
    records = [
        Record(
            name=clip,
            video=there.get(clip, f"{folder}/{clip}.avi"),
            gaze=GazeSource((str(file),), format="coutrot", key=clip),
            dataset="coutrot",
        )
        for clip in clips
    ]
    surplus = [path for name, path in there.items() if name not in clips]
    facts = {clip: Facts(frames=max(p.shape[1] for p in parts)) for clip, parts in clips.items()}
    return Listing("Coutrot 1", records, DESCRIPTION.counts, surplus, facts=facts)
