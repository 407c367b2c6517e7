"""UCF101: 13,320 clips of 101 actions, in three published folds of training and test clips.

ROOT/UCF-101/<Class>/v_<Class>_gNN_cNN.avi and
ROOT/ucfTrainTestlist/{classInd,trainlist01,testlist01,...}.txt
"""

from __future__ import annotations

from pathlib import Path

from zoo.datasets.classes.ucf101 import CLASSES
from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, files_below, lines_of, settle
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "FOLDS", "listing", "load"]

FOLDS = (1, 2, 3)
SIZE = (240, 320)
COUNTS = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}  # training, test

DESCRIPTION = Description(
    name="ucf101",
    classes=CLASSES,
    counts={"train": COUNTS[1][0], "test": COUNTS[1][1]},
    licence="research use; clips from YouTube",
    home_page="https://www.crcv.ucf.edu/data/UCF101.php",
    citation="K. Soomro, A. R. Zamir, M. Shah: UCF101. CRCV-TR-12-01, 2012.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    fold: int = 1,
    lists: str | Path | None = None,
    partial: bool = False,
) -> list[Record]:
    """Records of "train" or "test"; None gives both.

    Args:
        root: Folder with `UCF-101` (or the class folders themselves) and `ucfTrainTestlist`.
        split: "train", "test" or None.
        fold: 1, 2 or 3.
        lists: Folder of the published lists if it is not below `root`.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such fold or split, or a list does not have its published form.

    Example: `zoo.datasets.ucf101.load("data/UCF101", "train", fold=1)`
    """
    return settle(listing(root, fold=fold, lists=lists), split, partial=partial)


def listing(root: str | Path, *, fold: int = 1, lists: str | Path | None = None) -> Listing:
    """All clips of a fold, as the published lists give them."""
    if fold not in FOLDS:
        raise ValueError(f"`fold` must be one of {FOLDS}. Received: fold={fold!r}")
    root = Path(root)
    require_files([root], "UCF101")
    clips = root / "UCF-101" if (root / "UCF-101").is_dir() else root
    lists = list_folder(root) if lists is None else Path(lists)
    number = _class_numbers(lists / "classInd.txt")
    records = [
        record
        for split in ("train", "test")
        for record in _records(lists / f"{split}list{fold:02d}.txt", split, clips, number)
    ]
    named = {record.video for record in records}
    surplus = [path for path in files_below(clips, (".avi",), 1) if path not in named]
    published = dict(zip(("train", "test"), COUNTS[fold]))
    return Listing(f"UCF101 fold {fold}", records, published, surplus, size=SIZE)


def list_folder(root: Path) -> Path:
    """The folder of the published lists below `root`."""
    places = (
        root / "ucfTrainTestlist",
        root / "UCF101TrainTestSplits-RecognitionTask" / "ucfTrainTestlist",
        root,
    )
    return next((place for place in places if (place / "classInd.txt").is_file()), places[0])


def _class_numbers(path: Path) -> dict[str, int]:
    pairs = [line.split() for line in lines_of(path)]
    held = {row[1]: int(row[0]) - 1 for row in pairs if len(row) == 2 and row[0].isdigit()}
    if len(held) != len(pairs) or held != {name: at for at, name in enumerate(CLASSES)}:
        raise ValueError(
            f"classInd.txt must number the {len(CLASSES)} classes of UCF101 as published. "
            f"Received: {path} with {len(pairs)} lines"
        )
    return held


def _records(path: Path, split: str, clips: Path, number: dict[str, int]) -> list[Record]:
    records = []
    for at, line in enumerate(lines_of(path), 1):
        name, _, label = line.partition(" ")
        folder, _, file = name.partition("/")
        if folder not in number or not file or (label and label.strip() != f"{number[folder] + 1}"):
            raise ValueError(
                "A line must be `Class/file.avi`, followed by the class number in training lists. "
                f"Received: {path}, line {at} of its text: {line!r}"
            )
        records.append(
            Record(
                name=name.removesuffix(".avi"),
                video=f"{clips}/{name}",
                split=split,
                label=number[folder],
                dataset="ucf101",
            )
        )
    return records
