"""UCF11 (YouTube Action): 1600 clips of 11 actions; 25 groups per class, each of one scene.

ROOT/<class>/v_<action>_<group>/v_<action>_<group>_<clip>.avi; no split was published.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, files_below, settle
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "TEST_GROUPS", "listing", "load"]

CLASSES = (
    "basketball",
    "biking",
    "diving",
    "golf_swing",
    "horse_riding",
    "soccer_juggling",
    "swing",
    "tennis_swing",
    "trampoline_jumping",
    "volleyball_spiking",
    "walking",
)
GROUPS = 25
# Our own split, by groups, so that no scene is in both parts. 10 of 25 groups, because Sharma et
# al. tested on 625 of the 1600 clips (without publishing which).
TEST_GROUPS = (4, 5, 9, 10, 14, 15, 19, 20, 24, 25)
FOLDERS = ("action_youtube_naudio", "UCF11_updated_mpg", "action_youtube")

DESCRIPTION = Description(
    name="ucf11",
    classes=CLASSES,
    counts={"all": 1600},
    licence="research use; clips from YouTube",
    home_page="https://www.crcv.ucf.edu/data/UCF_YouTube_Action.php",
    citation="J. Liu, J. Luo, M. Shah: Recognizing Realistic Actions from Videos 'in the Wild'. "
    "CVPR 2009.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    test_groups: Sequence[int] = TEST_GROUPS,
    partial: bool = False,
) -> list[Record]:
    """Records of "train" or "test"; None gives both. The split by groups is our own.

    Args:
        root: Folder that contains the class folders or `action_youtube_naudio`.
        split: "train", "test" or None.
        test_groups: Numbers of the groups (1 to 25) whose clips form the test split.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split or group.

    Example: `zoo.datasets.ucf11.load("data/UCF11", "train")`
    """
    return settle(listing(root, test_groups=test_groups), split, partial=partial)


def listing(root: str | Path, *, test_groups: Sequence[int] = TEST_GROUPS) -> Listing:
    """All clips found in the folders; there is no published list."""
    if not test_groups or not all(1 <= group <= GROUPS for group in test_groups):
        raise ValueError(
            f"`test_groups` must be numbers from 1 to {GROUPS}. Received: {tuple(test_groups)}"
        )
    root = Path(root)
    require_files([root], "UCF11")
    clips = next((root / name for name in FOLDERS if (root / name).is_dir()), root)
    records, odd = [], []
    for label, name in enumerate(CLASSES):
        for path in files_below(clips / name, (".avi", ".mpg"), 1):
            group = re.fullmatch(r".*_(\d+)", os.path.basename(os.path.dirname(path)))
            if group is None:
                odd.append(path)
                continue
            split = "test" if int(group[1]) in test_groups else "train"
            stem = os.path.splitext(os.path.basename(path))[0]
            records.append(Record(f"{name}/{stem}", path, split, label, dataset="ucf11"))
    lacking = [name for name in CLASSES if not (clips / name).is_dir()]
    notes = ["our own split; test groups " + ", ".join(map(str, sorted(test_groups)))]
    notes += [f"no folder for class {name}" for name in lacking]
    return Listing("UCF11", records, {"all": DESCRIPTION.counts["all"]}, odd, notes)
