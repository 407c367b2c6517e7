"""Hollywood-2 with gaze as frames and maps, one folder per shot, as redistributed with DHF1K.

ROOT/{training,testing}/actioncliptrain00001_1/{images,maps,fixation}/actioncliptrain00001_00003.png
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.datasets.hollywood2 import CLASSES, clip_labels, clip_set_files
from zoo.datasets.listing.listing import Listing, settle
from zoo.datasets.record import Description, Record
from zoo.datasets.ucf_sports import MAP_SIGMA, image_listing

__all__ = ["CLASSES", "DESCRIPTION", "MAP_SIGMA", "listing", "load"]

DESCRIPTION = Description(
    name="hollywood2_images",
    classes=CLASSES,
    counts={"train": 2699, "test": 3558},  # shots, of 747 and 884 clips
    licence="research use",
    home_page="https://github.com/wenguanwang/DHF1K",
    citation="S. Mathe, C. Sminchisescu: Actions in the Eye. IEEE TPAMI 37(7), 2015.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    clip_sets: str | Path | None = None,
    partial: bool = False,
) -> list[Record]:
    """Records of "train" or "test"; None gives both. A record is one shot.

    Args:
        root: Folder with `training` and `testing`.
        split: "train", "test" or None.
        clip_sets: Folder `ClipSets` of Hollywood2 with the clips' actions; without it the records
            have no labels, because the redistribution has none.
        partial: Accept fewer shots than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split, or a clip set does not have its published form.

    Example: `zoo.datasets.hollywood2_images.load("data/Hollywood-2", "train")`
    """
    return settle(listing(root, clip_sets=clip_sets), split, partial=partial)


def listing(root: str | Path, *, clip_sets: str | Path | None = None) -> Listing:
    """All shots found in the folders; there is no published list."""
    labels: dict[str, tuple[int, ...]] = {}
    if clip_sets is not None:
        held = clip_labels(clip_set_files(Path(clip_sets), ("train", "test")))
        labels = {clip: classes for (_, clip), classes in held.items()}

    def label_of(shot: str) -> tuple[int, ...] | None:
        return labels.get(clip_of(shot))

    found = image_listing(root, "Hollywood-2 (frames)", DESCRIPTION, label_of)
    clips = {split: {clip_of(r.name) for r in found.of_split(split)} for split in ("train", "test")}
    note = (
        f"shots of {len(clips['train'])} training clips (published 747) and "
        f"{len(clips['test'])} test clips (published 884)"
    )
    return replace(found, notes=[*found.notes, note])


def clip_of(shot: str) -> str:
    """The name of the clip that a shot belongs to."""
    return shot.rpartition("_")[0] or shot
