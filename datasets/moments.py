"""Moments in Time: 836,143 clips of 3 seconds, 339 classes.

ROOT/{training,validation}/<label>/<file>.mp4 and ROOT/{trainingSet,validationSet}.csv
"""

from __future__ import annotations

import csv
from pathlib import Path

from zoo.datasets.classes.moments import CLASSES
from zoo.datasets.listing.checks import require_files, require_split
from zoo.datasets.listing.listing import (
    Listing,
    files_below,
    garbage_collection_paused,
    lines_of,
    settle,
)
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "listing", "load"]

FOLDERS = {"train": "training", "validation": "validation"}

DESCRIPTION = Description(
    name="moments",
    classes=CLASSES,
    counts={"train": 802_243, "validation": 33_900},
    licence="research use, by agreement",
    home_page="http://moments.csail.mit.edu",
    citation="M. Monfort et al.: Moments in Time Dataset. IEEE TPAMI 42(2), 2020.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    least_votes: int = 0,
    partial: bool = False,
) -> list[Record]:
    """Records of "train" or "validation"; None gives both.

    Args:
        root: Folder with `training`, `validation` and their csv files.
        split: "train", "validation" or None.
        least_votes: Leave out clips with fewer positive votes than this.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: A csv row or a class number does not have its published form.

    Example: `zoo.datasets.moments.load("data/moments", "train", least_votes=3)`
    """
    require_split(split, FOLDERS)
    found = listing(root, split=split, least_votes=least_votes, surplus=False)
    return settle(found, split, partial=partial or least_votes > 0)


def listing(
    root: str | Path, *, split: str | None = None, least_votes: int = 0, surplus: bool = True
) -> Listing:
    """All clips listed in the csv files and, with `surplus`, videos that no csv file lists."""
    root = Path(root)
    splits = list(FOLDERS) if split is None else [split]
    tables = {name: root / f"{FOLDERS[name]}Set.csv" for name in splits}
    require_files([root, *tables.values()], "Moments in Time")
    _check_numbers(root / "moments_categories.txt")
    number = {name: at for at, name in enumerate(CLASSES)}
    records: list[Record] = []
    with garbage_collection_paused():
        for name, table in tables.items():
            records += _records(table, f"{root}/{FOLDERS[name]}", name, number, least_votes)
    published = {} if least_votes else {name: DESCRIPTION.counts[name] for name in splits}
    more: list[str] = []
    if surplus and not least_votes:
        named = {record.video for record in records}
        for name in splits:
            there = files_below(root / FOLDERS[name], (".mp4",), 1)
            more += [path for path in there if path not in named]
    return Listing("Moments in Time", records, published, more)


def _records(
    table: Path, folder: str, split: str, number: dict[str, int], least_votes: int
) -> list[Record]:
    records = []
    with open(table, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        for row in rows:
            if not row:
                continue
            try:
                path, label, votes = row[0].strip(), number[row[1].strip()], int(row[2])
            except (IndexError, KeyError, ValueError):
                raise ValueError(
                    "A row must be: path, one of the 339 labels, positive votes, negative votes. "
                    f"Received: {table}, line {rows.line_num}: {row}"
                ) from None
            if votes >= least_votes:
                name = f"{split}/{path.removesuffix('.mp4')}"
                records.append(Record(name, f"{folder}/{path}", split, label, dataset="moments"))
    return records


def _check_numbers(path: Path) -> None:
    if path.is_file():
        held = [tuple(line.rsplit(",", 1)) for line in lines_of(path)]
        if held != [(name, str(at)) for at, name in enumerate(CLASSES)]:
            raise ValueError(
                "moments_categories.txt must number the 339 published classes. Received: "
                f"{path} with {len(held)} lines that differ"
            )
