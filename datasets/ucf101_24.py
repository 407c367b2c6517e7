"""UCF101-24: boxes of the acting people in 3194 clips of UCF101 (annotated by G. Singh).

The folders of UCF101, with pyannot.pkl (or finalAnnots.mat) and testlist01.txt of the 24 classes
in ROOT, ROOT/splitfiles or the folder `annotation`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Facts, Listing, lines_of, settle
from zoo.datasets.record import Description, Record, Tube
from zoo.files.mat import load_mat
from zoo.files.safe_pickle import read_pickle

__all__ = ["CLASSES", "DESCRIPTION", "HEIGHT", "WIDTH", "listing", "load", "read_annotation"]

CLASSES = tuple(
    """
    Basketball BasketballDunk Biking CliffDiving CricketBowling Diving Fencing FloorGymnastics
    GolfSwing HorseRiding IceDancing LongJump PoleVault RopeClimbing SalsaSpin SkateBoarding
    Skiing Skijet SoccerJuggling Surfing TennisSwing TrampolineJumping VolleyballSpiking
    WalkingWithDog
    """.split()  # noqa: SIM905
)
WIDTH, HEIGHT = 320, 240
FILES = ("pyannot.pkl", "finalAnnots.mat")

DESCRIPTION = Description(
    name="ucf101_24",
    classes=CLASSES,
    counts={"train": 2284, "test": 910},
    licence="research use; clips from YouTube",
    home_page="https://github.com/gurkirt/corrected-UCF101-Annots",
    citation="G. Singh et al.: Online Real-time Multiple Spatiotemporal Action Localisation. "
    "ICCV 2017.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    annotation: str | Path | None = None,
    partial: bool = False,
) -> list[Record]:
    """Records of "train" or "test", with a tube of boxes for every person; None gives both.

    Boxes are floats: x, y, width and height in pixels of the 320x240 frames, counted from 0.

    Args:
        root: Folder with `UCF-101` (or the class folders themselves).
        split: "train", "test" or None.
        annotation: Folder of pyannot.pkl or finalAnnots.mat, and of testlist01.txt.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split, or the annotation does not have its published form.

    Example: `zoo.datasets.ucf101_24.load("data/UCF101", "train")`
    """
    return settle(listing(root, annotation=annotation), split, partial=partial)


def listing(root: str | Path, *, annotation: str | Path | None = None) -> Listing:
    """All annotated clips."""
    root = Path(root)
    require_files([root], "UCF101-24")
    folder = _annotation_folder(root) if annotation is None else Path(annotation)
    test = set(lines_of(folder / "testlist01.txt"))
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if file is None:
        raise FileNotFoundError(f"The folder must hold one of {FILES}. Received: {folder}")
    annotated = read_annotation(file)
    lost = sorted(test - set(annotated))
    if lost:
        raise ValueError(
            f"Every clip of testlist01.txt must be annotated. Received: {len(lost)} that are not: "
            f"{lost[:10]}"
        )
    clips = root / "UCF-101" if (root / "UCF-101").is_dir() else root
    records = [
        Record(
            name=name,
            video=f"{clips}/{name}.avi",
            split="test" if name in test else "train",
            label=CLASSES.index(name.partition("/")[0]),
            boxes=tubes,
            dataset="ucf101_24",
        )
        for name, (_, tubes) in annotated.items()
    ]
    facts = {name: Facts(frames, HEIGHT, WIDTH) for name, (frames, _) in annotated.items()}
    return Listing("UCF101-24", records, DESCRIPTION.counts, facts=facts, size=(HEIGHT, WIDTH))


def read_annotation(path: str | Path) -> dict[str, tuple[int, tuple[Tube, ...]]]:
    """Clip -> (number of frames, tubes), from pyannot.pkl or finalAnnots.mat."""
    read = _mat_rows if str(path).endswith(".mat") else _pickle_rows
    try:
        return {
            name: (frames, tuple(_tube(*row, where=f"{path}: {name}") for row in rows))
            for name, (frames, rows) in read(path).items()
        }
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        if isinstance(error, ValueError) and "Received" in str(error):
            raise
        raise ValueError(
            f"The annotation must have its published form. Received: {path}: {error!r}"
        ) from error


def _annotation_folder(root: Path) -> Path:
    for folder in (root, root / "splitfiles", root / "annotation", root / "ucf101_24"):
        if any((folder / name).is_file() for name in FILES):
            return folder
    return root


def _pickle_rows(path: str | Path) -> dict:
    # Rows of (label, first frame, end frame (not included), boxes), frames counted from 0.
    return {
        name: (
            int(video["numf"]),
            [
                (int(tube["label"]), int(tube["sf"]), int(tube["ef"]), tube["boxes"])
                for tube in video["annotations"]
            ],
        )
        for name, video in read_pickle(path).items()
    }


def _mat_rows(path: str | Path) -> dict:
    held = load_mat(path, squeeze_me=True)["annot"]
    rows = {}
    for video in held:
        tubes = np.atleast_1d(video["tubes"])
        rows[str(video["name"])] = (
            int(video["num_imgs"]),
            [
                (int(tube["class"]) - 1, int(tube["sf"]) - 1, int(tube["ef"]), tube["boxes"])
                for tube in tubes
            ],
        )
    return rows


def _tube(label: int, start: int, stop: int, boxes: np.ndarray, where: str) -> Tube:
    # The file stores bytes, in which 200 + 100 is 44. The published evaluators add them as such.
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    boxes[:, :2] -= 1
    wrong = not 0 <= label < len(CLASSES) or len(boxes) != stop - start or start < 0
    if wrong or np.any(boxes < 0):
        raise ValueError(
            "A tube must have a known class, a box for every frame, and pixels counted from 1. "
            f"Received: {where}: class {label}, frames {start} to {stop}, {len(boxes)} boxes"
        )
    return Tube(label, start, boxes)
