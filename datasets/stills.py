"""Still images with viewers' fixations: a folder of images beside a table of fixations."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.datasets.listing.listing import LOG
from zoo.datasets.record import Description
from zoo.datasets.video.pictures import read_picture
from zoo.files.first_few import first_few
from zoo.files.interface import advised

__all__ = ["DESCRIPTION", "HOLD_OUT", "Still", "load"]

TABLE, IMAGES = "fixations.csv", "images"
COLUMNS = ("image", "viewer", "x", "y")
HOLD_OUT = 7  # every n-th image of a folder is held out
SPLITS = ("train", "validation")

DESCRIPTION = Description(name="stills")


@dataclass(frozen=True)
class Still:
    """An image and where people looked in it.

    Attributes:
        name: Folder and file name.
        path: Path of the image file.
        group: Name of the folder that holds it.
        height, width: Size in pixels.
        points: (n, 2) float32, x and y of the fixations in [0, 1), x to the right, y down.
        viewers: (n,) number of the viewer who made each fixation, from 0.
        split: "train" or "validation".
    """

    name: str
    path: str
    group: str
    height: int
    width: int
    points: np.ndarray
    viewers: np.ndarray
    split: str

    def picture(self) -> np.ndarray:
        """The image, (height, width, 3) uint8, RGB."""
        return _read(Path(self.path))


def load(root: str | Path, split: str | None = None, *, outside: str = "error") -> list[Still]:
    """Still images and their fixations.

    A folder holds `fixations.csv` and a folder `images`. The table has one row per fixation, with
    the columns `image` (file name), `viewer` (any text), `x` and `y` (pixels of the image, from
    its top left corner); other columns are ignored. `root` is such a folder or holds several of
    them. Every seventh image, ordered by name, is held out for validation.

    Args:
        root: The folder.
        split: "train" or "validation"; None gives all.
        outside: "error", or "drop" to leave out fixations that lie outside their image.

    Raises:
        FileNotFoundError: There is no table, or images are missing; the error counts and names
            them.
        ValueError: A column is missing, a value is not a number, or a fixation lies outside its
            image.

    Example: `zoo.datasets.stills.load("stills", "train")`
    """
    if split not in (None, *SPLITS):
        raise ValueError(f"`split` must be one of {SPLITS} or None. Received: split={split!r}")
    if outside not in ("error", "drop"):
        raise ValueError(f'`outside` must be "error" or "drop". Received: outside={outside!r}')
    root = Path(root)
    folders = (
        [root] if (root / TABLE).is_file() else sorted(p.parent for p in root.glob(f"*/{TABLE}"))
    )
    if not folders:
        raise FileNotFoundError(
            f"A folder of stills must hold {TABLE} beside a folder {IMAGES}, or folders that do. "
            f"Received: {root}"
        )
    others = sorted(path.name for path in root.iterdir() if (path / IMAGES).is_dir())
    if unused := [name for name in others if root / name not in folders]:
        LOG.warning(
            "%s: %d folders with %s and without %s are not used: %s",
            root,
            len(unused),
            IMAGES,
            TABLE,
            first_few(unused),
        )
    stills = [still for folder in folders for still in _folder(folder, outside)]
    return [still for still in stills if split in (None, still.split)]


def _folder(folder: Path, outside: str) -> list[Still]:
    rows = _rows(folder / TABLE)
    names = sorted(rows)
    missing = [name for name in names if not (folder / IMAGES / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"Every image of {TABLE} must be in the folder {IMAGES}. Received: "
            f"{folder / IMAGES}, where {len(missing)} of {len(names)} are missing: {missing[:5]}"
        )
    unused = {path.name for path in (folder / IMAGES).iterdir() if path.is_file()} - set(names)
    if unused:
        LOG.info(
            "%s: %d of %d images have no row in %s and are not used: %s",
            folder / IMAGES,
            len(unused),
            len(unused) + len(names),
            TABLE,
            first_few(sorted(unused)),
        )
    stills, wrong = [], []
    for number, name in enumerate(names):
        path = folder / IMAGES / name
        height, width = _read(path).shape[:2]
        points = np.array([row[1:] for row in rows[name]], np.float32) / (width, height)
        inside = np.all((points >= 0) & (points <= 1), axis=1)
        if not inside.all():
            wrong.append((name, int((~inside).sum())))
        _, viewers = np.unique([row[0] for row in rows[name]], return_inverse=True)
        held = number % HOLD_OUT == HOLD_OUT // 2
        stills.append(
            Still(
                name=f"{folder.name}/{name}",
                path=str(path),
                group=folder.name,
                height=height,
                width=width,
                # Rounding can leave points on the right or lower edge: move them just inside.
                points=np.minimum(points[inside], np.float32(1 - 1e-6)),
                viewers=viewers[inside],
                split=SPLITS[held],
            )
        )
    if wrong and outside == "error":
        drop = advised(', or pass outside="drop"', "")
        raise ValueError(
            f"Fixations must lie inside their image; remove the others{drop}. "
            f"Received: {sum(count for _, count in wrong)} outside in {len(wrong)} images of "
            f"{folder}, such as {wrong[0][0]}"
        )
    return stills


def _rows(path: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Image name -> its fixations as (viewer, x, y)."""
    found = defaultdict(list)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{TABLE} must be a text file in UTF-8. Received: {path} ({error.reason} at byte "
            f"{error.start})"
        ) from error
    with io.StringIO(text, newline="") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or ()
        if twice := [c for c in COLUMNS if names.count(c) > 1]:
            raise ValueError(
                f"The names of columns must be unique. Received: {path} with {twice} repeated"
            )
        lacking = [c for c in COLUMNS if c not in names]
        if lacking:
            raise ValueError(
                f"{TABLE} must have the columns {', '.join(COLUMNS)}. "
                f"Received: {path} without {', '.join(lacking)}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"Every row must have the {len(reader.fieldnames)} columns of the header; "
                    "decimals need a point. Received: "
                    f"{list(filter(None, row.values()))} in {path}, line {reader.line_num}"
                )
            try:
                point = float(row["x"]), float(row["y"])
            except (TypeError, ValueError):
                point = (np.nan, np.nan)
            if not np.isfinite(point).all():
                raise ValueError(
                    "Coordinates must be finite numbers. Received: "
                    f"x={row['x']!r}, y={row['y']!r} in {path}, line {reader.line_num}"
                )
            found[row["image"]].append((row["viewer"], *point))
    if not found:
        raise ValueError(f"{TABLE} must hold at least one fixation. Received: {path}")
    return found


def _read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(read_picture(path)[:, :, ::-1])
