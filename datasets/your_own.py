"""Your own videos: a table (csv) that lists them, or a folder with a subfolder for each class."""

from __future__ import annotations

import csv
import os
from collections import Counter
from fractions import Fraction
from pathlib import Path

from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.description import GAZE_FILES, description_of
from zoo.datasets.gaze.description import Description as GazeDescription
from zoo.datasets.listing.checks import require_files, require_there
from zoo.datasets.listing.class_folders import VIDEOS, is_left_out, read_class_folders
from zoo.datasets.listing.listing import (
    LOG,
    Listing,
    files_below,
    garbage_collection_paused,
    missing_paths,
    needed_files,
)
from zoo.datasets.record import Description, GazeSource, Record

__all__ = ["CLASSES", "DESCRIPTION", "class_names", "listing", "load"]

CLASSES: tuple[str, ...] = ()  # `class_names(path)` returns those of a table or folder
COLUMNS = ("video", "name", "label", "split", "gaze", "start", "end", "gaze_format", "fps")
GAZE_FORMAT = "gaze.json"

DESCRIPTION = Description(name="your_own")


def load(
    path: str | Path,
    split: str | None = None,
    *,
    gaze_format: CsvFormat | None = None,
    classes: tuple[str, ...] | None = None,
    check_files: bool = True,
) -> list[Record]:
    """Records of a table, or of a folder with a subfolder for each class.

    The table must have the column `video` (a file or a folder of frames) and may have the
    columns

    - `name`: a unique name;
    - `label`: class names, separated by `|`;
    - `split`;
    - `gaze`: csv files, separated by `|`, or a folder of csv files or of fixation maps;
    - `start`, `end`: in seconds;
    - `fps`: frame rate of a folder of frames or a stream without a container (.h264), which do
      not state one; it must be empty for other videos;
    - `gaze_format`: a json file like `gaze.json`, or the name of a preset.

    Paths are relative to the table's folder. Columns are separated by commas, semicolons or tabs.

    Args:
        path: The csv file, or the folder of class folders.
        split: Only the records of this split; None gives all.
        gaze_format: What the columns of the gaze files mean. None: read from the file
            `gaze.json` beside the table, if there is one. The column `gaze_format` of the
            table takes precedence over both.
        classes: Class names in the order of their labels; None: in alphabetical order.
        check_files: Raise an error that counts and names missing files.

    Raises:
        FileNotFoundError: The table or files that it names are missing.
        ValueError: The table has unknown columns, a cell is invalid, a name is repeated, or there
            is no such split.

    Example: `zoo.datasets.your_own.load("videos.csv", "train")`
    """
    records = _read(path, split, gaze_format=gaze_format, classes=classes)
    if check_files:
        require_there(missing_paths(p for r in records for p in needed_files(r)), f"{path}")
    LOG.info("%s", Listing(f"your own {path}", records).counts_line())
    for note in _left_out(path):
        LOG.info("%s", note)
    return records


def listing(
    path: str | Path,
    *,
    gaze_format: CsvFormat | None = None,
    classes: tuple[str, ...] | None = None,
) -> Listing:
    """All videos of a table or folder, and the videos below its folder that no row lists."""
    records = _read(path, None, gaze_format=gaze_format, classes=classes)
    base = Path(path) if Path(path).is_dir() else Path(path).parent
    named = {os.path.normpath(record.video) for record in records}
    found = files_below(base, VIDEOS, 4)
    surplus = [
        file
        for file in found
        if os.path.normpath(file) not in named
        and not any(map(is_left_out, Path(os.path.relpath(file, base)).parts))
    ]
    without = sum(record.label is None for record in records)
    notes = [f"{without} rows without a label"] if 0 < without < len(records) else []
    notes += _left_out(path)
    return Listing("your own", records, surplus=surplus, notes=notes)


def _left_out(path: str | Path) -> list[str]:
    """Notes on entries of a folder of class folders that were ignored."""
    return read_class_folders(path).notes() if Path(path).is_dir() else []


def class_names(path: str | Path) -> tuple[str, ...]:
    """The classes of a table or folder in alphabetical order; class i has label i.

    Example: `zoo.datasets.your_own.class_names("videos.csv")`
    """
    return _names(set(_columns(Path(path)).get("label", ())))


def _read(
    path: str | Path,
    split: str | None,
    *,
    gaze_format: CsvFormat | None,
    classes: tuple[str, ...] | None,
) -> list[Record]:
    path = Path(path)
    require_files([path], "the data set")
    held = _columns(path)
    base = path if path.is_dir() else path.parent
    beside = base / GAZE_FORMAT
    form = GazeDescription(csv=gaze_format) if gaze_format else description_of(beside)
    own = {text: description_of(base / text) for text in set(held.get("gaze_format", ())) - {""}}
    empty = [""] * len(held["video"])
    columns = [held.get(name, empty) for name in COLUMNS]
    labels, splits = set(held.get("label", empty)), set(held.get("split", empty))
    names = _names(labels) if classes is None else tuple(classes)
    label = _labels(labels, names, path)
    if split is not None and split not in splits - {""}:
        known = sorted(name or "None" for name in splits)
        raise ValueError(f"`split` must be one of {known}. Received: {split!r}")
    prefix = os.path.join(base, "")
    with garbage_collection_paused():
        records = [
            Record(
                name or os.path.splitext(video)[0],
                video if os.path.isabs(video) else prefix + video,
                part or None,
                label[shown],
                _gaze(gaze, base, own.get(form_, form)) if gaze else None,
                start=_seconds(start, "start", video) if start else None,
                end=_seconds(end, "end", video) if end else None,
                dataset="your_own",
                fps=_rate(fps, video) if fps else None,
            )
            for video, name, shown, part, gaze, start, end, form_, fps in zip(*columns)
            if split is None or part == split
        ]
    _check_names(records, path)
    if {"start", "end"} <= set(held):
        _check_ends(records, path)
    return records


def _check_ends(records: list[Record], path: Path) -> None:
    if wrong := [r for r in records if None not in (r.start, r.end) and r.end <= r.start]:
        raise ValueError(
            f"`end` must be after `start`. Received: start={wrong[0].start:g}, "
            f"end={wrong[0].end:g} for {wrong[0].name} in {path}, {len(wrong)} such rows"
        )


def _names(labels: set[str]) -> tuple[str, ...]:
    return tuple(sorted({name for text in labels for name in _parts(text)}))


def _labels(texts: set[str], names: tuple[str, ...], path: Path) -> dict[str, int | tuple | None]:
    """Text in the column `label` -> class index or tuple of class indices."""
    number = {name: at for at, name in enumerate(names)}
    unknown = sorted({name for text in texts for name in _parts(text)} - set(number))
    if unknown:
        raise ValueError(f"Every label must be one of {names}. Received: {unknown[:10]} in {path}")
    found = {text: tuple(number[name] for name in _parts(text)) for text in texts}
    return {
        t: None if not held else held[0] if len(held) == 1 else held for t, held in found.items()
    }


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()] if text else []


def _columns(path: Path) -> dict[str, list[str]]:
    """Column -> its texts, one per row."""
    if path.is_dir():
        return _folder_columns(path)
    try:
        return _table_columns(path)
    except UnicodeDecodeError as error:
        raise ValueError(
            "A table of videos must be in UTF-8; spreadsheets call this format CSV UTF-8. "
            f"Received: {path} with the byte 0x{error.object[error.start]:02x}"
        ) from error


def _table_columns(path: Path) -> dict[str, list[str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        # Spreadsheets write semicolons where the comma is the decimal sign.
        delimiter = next((sign for sign in ("\t", ";") if sign in first), ",")
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        header = [name.strip() for name in next(reader, [])]
        unknown = [name for name in header if name not in COLUMNS]
        if "video" not in header or unknown or len(set(header)) != len(header):
            raise ValueError(
                f"A table of videos must have the column `video` and may have {COLUMNS[1:]}. "
                f"Received: {path} with {header}"
            )
        video, width = header.index("video"), len(header)
        columns: list[list[str]] = [[] for _ in header]
        common: dict[str, str] = {}  # equal texts share one string, to save memory
        shared = [name in ("label", "split", "gaze_format") for name in header]
        for row in reader:
            if not any(row):
                continue
            if len(row) != width or not row[video].strip():
                raise ValueError(
                    f"Every row must have {width} columns and a video. Received: {path}, "
                    f"line {reader.line_num}: {row}"
                )
            for text, column, often in zip(row, columns, shared):
                text = text.strip()
                column.append(common.setdefault(text, text) if often else text)
    if not columns[video]:
        raise ValueError(f"A table of videos must have at least one row. Received: {path}")
    return dict(zip(header, columns))


def _folder_columns(root: Path) -> dict[str, list[str]]:
    found = read_class_folders(root)
    if not found.videos:
        notes = "; ".join(found.notes())
        raise ValueError(
            "A folder of videos must have a subfolder for each class, with videos that FFmpeg "
            f"reads ({', '.join(VIDEOS[:6])}, ...) or folders of frames. Received: {root}"
            + (f", {notes}" if notes else "")
        )
    columns = [(os.path.splitext(video)[0], video, label) for label, video in found.videos]
    stems = Counter(name for name, *_ in columns)
    columns = [  # a.mp4 beside a.avi keep their suffixes
        (name if stems[name] == 1 else video, video, label) for name, video, label in columns
    ]
    return dict(zip(("name", "video", "label"), map(list, zip(*columns))))


def _seconds(text: str, name: str, video: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"`{name}` must be a number of seconds. Received: {text!r} for {video}"
        ) from None


def _rate(text: str, video: str) -> float:
    try:
        rate = float(Fraction(text))  # 30000/1001 too
    except (ValueError, ZeroDivisionError):
        rate = 0.0
    if not 0 < rate < 100_000:
        raise ValueError(
            f"`fps` must be a number of frames per second, above 0. Received: {text!r} for {video}"
        )
    return rate


def _gaze(text: str, base: Path, form: GazeDescription) -> GazeSource | None:
    paths = [os.path.join(base, part) for part in _parts(text)]
    if not paths:
        return None
    if len(paths) == 1 and os.path.isdir(paths[0]):
        tables = files_below(paths[0], GAZE_FILES, 0)
        if not tables:
            return form.maps(paths[0])
        paths = tables
    return GazeSource(tuple(paths), csv=form.csv)


def _check_names(records: list[Record], path: Path) -> None:
    if len({record.name for record in records}) == len(records):
        return
    counts = Counter(record.name for record in records)
    twice = [name for name, count in counts.items() if count > 1]
    raise ValueError(
        "Names must be unique; give parts of one video different names in the column `name`. "
        f"Received: {len(twice)} repeated in {path}: {twice[:10]}"
    )
