"""HMDB51: 6766 clips of 51 actions, in three published splits.

ROOT/<class>/<clip>.avi and ROOT/testTrainMulti_7030_splits/<class>_test_split1.txt
"""

from __future__ import annotations

import os
from pathlib import Path

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, files_below, lines_of, settle
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "FOLDS", "listing", "load"]

CLASSES = tuple(
    """
    brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword dribble drink eat
    fall_floor fencing flic_flac golf handstand hit hug jump kick kick_ball kiss laugh pick pour
    pullup punch push pushup ride_bike ride_horse run shake_hands shoot_ball shoot_bow shoot_gun
    sit situp smile smoke somersault stand swing_baseball sword sword_exercise talk throw turn
    walk wave
    """.split()  # noqa: SIM905
)
FOLDS = (1, 2, 3)
SPLITS = {"1": "train", "2": "test", "0": "unused"}

DESCRIPTION = Description(
    name="hmdb51",
    classes=CLASSES,
    counts={"train": 3570, "test": 1530, "unused": 1666},
    licence="CC BY 4.0",
    home_page="https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
    citation="H. Kuehne et al.: HMDB: A Large Video Database for Human Motion Recognition. "
    "ICCV 2011.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    fold: int = 1,
    lists: str | Path | None = None,
    partial: bool = False,
) -> list[Record]:
    """Records of "train", "test" or "unused" (in neither of the two); None gives all.

    Args:
        root: Folder that contains the class folders or `hmdb51_org`.
        split: "train", "test", "unused" or None.
        fold: 1, 2 or 3.
        lists: Folder of the published lists if it is not below `root`.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such fold or split, or a list does not have its published form.

    Example: `zoo.datasets.hmdb51.load("data/HMDB51", "train", fold=1)`
    """
    return settle(listing(root, fold=fold, lists=lists), split, partial=partial)


def listing(root: str | Path, *, fold: int = 1, lists: str | Path | None = None) -> Listing:
    """All clips, as the published lists of a fold give them."""
    if fold not in FOLDS:
        raise ValueError(f"`fold` must be one of {FOLDS}. Received: fold={fold!r}")
    root = Path(root)
    require_files([root], "HMDB51")
    clips = root / "hmdb51_org" if (root / "hmdb51_org").is_dir() else root
    lists = root / "testTrainMulti_7030_splits" if lists is None else Path(lists)
    files = [lists / f"{name}_test_split{fold}.txt" for name in CLASSES]
    require_files(files, f"the lists of HMDB51 fold {fold}")
    records = []
    for label, (name, file) in enumerate(zip(CLASSES, files)):
        for line in lines_of(file):
            clip, flag = (line.rsplit(None, 1) + [""])[:2]  # names may contain spaces
            if flag not in SPLITS or not clip.endswith(".avi"):
                raise ValueError(f"A line must be `clip.avi 0|1|2`. Received: {file}: {line!r}")
            records.append(
                Record(
                    name=f"{name}/{clip.removesuffix('.avi')}",
                    video=f"{clips}/{name}/{clip}",
                    split=SPLITS[flag],
                    label=label,
                    dataset="hmdb51",
                )
            )
    named = {record.video for record in records}
    known = set(CLASSES)
    there = files_below(clips, (".avi",), 1)
    surplus = [
        path
        for path in there
        if path not in named and os.path.basename(os.path.dirname(path)) in known
    ]
    return Listing(f"HMDB51 fold {fold}", records, DESCRIPTION.counts, surplus)
