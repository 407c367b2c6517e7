"""Your own videos: a table (csv) that lists them, or a folder with a subfolder a class."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

from zoo.datasets.checks import require_files
from zoo.datasets.gaze import CsvFormat, GazeSource
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "class_names", "load"]

CLASSES: tuple[str, ...] = ()  # `class_names(path)` tells those of a table or folder
COLUMNS = ("video", "name", "label", "split", "gaze", "start", "end")
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv")
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
    """Records of a table, or of a folder with a subfolder a class.

    Columns of the table: `video` (file or folder of frames), and as wanted `name`, `label` (class
    names, several with `|`), `split`, `gaze` (a csv, several with `|`, or a folder of csv files
    or of fixation maps), `start` and `end` (seconds). Paths are taken from the table's folder.

    Args:
        path: The csv file, or the folder of class folders.
        split: Only the records of this split; None gives all.
        gaze_format: What the columns of the gaze files mean; None reads it from a file
            `gaze.json` beside the table (the arguments of `CsvFormat`) where there is one.
        classes: Names of the classes in the order of their numbers; None: sorted names.
        check_files: Raise an error that counts and names missing files.
    """
    path = Path(path)
    require_files([path], "the data set")
    rows = _folder_rows(path) if path.is_dir() else _table_rows(path)
    names = tuple(classes) if classes is not None else _names(rows)
    number = {name: at for at, name in enumerate(names)}
    unknown = sorted({n for row in rows for n in _parts(row.get("label"))} - set(number))
    if unknown:
        raise ValueError(f"Every label must be one of {names}. Received: {unknown[:10]} in {path}")
    base = path if path.is_dir() else path.parent
    form = gaze_format or _format_beside(base)
    splits = {row.get("split") or None for row in rows}
    if split is not None and split not in splits:
        raise ValueError(f"`split` must be one of {sorted(map(str, splits))}. Received: {split!r}")
    chosen = [row for row in rows if split is None or row.get("split") == split]
    records = [_record(row, base, number, form) for row in chosen]
    if check_files:
        _check(records, path)
    return records


def class_names(path: str | Path) -> tuple[str, ...]:
    """The classes of a table or folder, sorted: class i has label i."""
    path = Path(path)
    return _names(_folder_rows(path) if path.is_dir() else _table_rows(path))


def _names(rows: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({name for row in rows for name in _parts(row.get("label"))}))


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()] if text else []


def _table_rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        header = [name.strip() for name in next(reader, [])]
        unknown = [name for name in header if name not in COLUMNS]
        if "video" not in header or unknown or len(set(header)) != len(header):
            raise ValueError(
                f"A table of videos must have the column `video` and may have {COLUMNS[1:]}. "
                f"Received: {path} with {header}"
            )
        rows = []
        for row in reader:
            if not any(row):
                continue
            if len(row) != len(header) or not row[header.index("video")].strip():
                raise ValueError(
                    f"Every row must have {len(header)} columns and a video. Received: {path}, "
                    f"line {reader.line_num}: {row}"
                )
            rows.append({name: text.strip() for name, text in zip(header, row)})
    if not rows:
        raise ValueError(f"A table of videos must have a row. Received: {path} with none")
    return rows


def _folder_rows(root: Path) -> list[dict[str, str]]:
    rows = []
    for folder in sorted(child for child in root.iterdir() if child.is_dir()):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in VIDEOS or file.is_dir():
                name = f"{folder.name}/{file.stem}"
                rows.append({"video": f"{folder.name}/{file.name}", "name": name})
                rows[-1]["label"] = folder.name
    if not rows:
        raise ValueError(
            f"A folder of videos must have a subfolder a class with videos {VIDEOS}. "
            f"Received: {root}"
        )
    return rows


def _format_beside(folder: Path) -> CsvFormat:
    file = folder / GAZE_FORMAT
    if not file.is_file():
        return CsvFormat()
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(held.get("keep"), dict):
            held["keep"] = tuple((name, tuple(map(str, of))) for name, of in held["keep"].items())
        if held.get("screen") is not None:
            held["screen"] = tuple(held["screen"])
        return CsvFormat(**held)
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`{GAZE_FORMAT}` must hold arguments of `CsvFormat` as JSON. Received: {file}: {error}"
        ) from error


def _seconds(row: dict[str, str], name: str) -> float | None:
    text = row.get(name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"`{name}` must be seconds. Received: {text!r} for {row['video']}"
        ) from None


def _record(row: dict[str, str], base: Path, number: dict[str, int], form: CsvFormat) -> Record:
    labels = tuple(number[name] for name in _parts(row.get("label")))
    return Record(
        name=row.get("name") or os.path.splitext(row["video"])[0],
        video=os.path.join(base, row["video"]),
        split=row.get("split") or None,
        label=None if not labels else labels[0] if len(labels) == 1 else labels,
        gaze=_gaze([os.path.join(base, part) for part in _parts(row.get("gaze"))], form),
        start=_seconds(row, "start"),
        end=_seconds(row, "end"),
        dataset="your_own",
    )


def _gaze(paths: list[str], form: CsvFormat) -> GazeSource | None:
    if not paths:
        return None
    if len(paths) == 1 and os.path.isdir(paths[0]):
        tables = sorted(str(file) for file in Path(paths[0]).glob("*.csv"))
        if not tables:
            return GazeSource((paths[0],), format="maps")
        paths = tables
    return GazeSource(tuple(paths), csv=form)


def _check(records: list[Record], path: Path) -> None:
    names: dict[str, int] = {}
    for record in records:
        names[record.name] = names.get(record.name, 0) + 1
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(
            f"Names must be there once; the column `name` tells parts of one video apart. "
            f"Received: {len(twice)} repeated in {path}: {twice[:10]}"
        )
    wanted = {record.video for record in records}
    wanted |= {file for record in records if record.gaze for file in record.gaze.paths}
    require_files(sorted(wanted), f"the table {path}")
