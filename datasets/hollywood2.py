"""Hollywood2: 1707 clips of 12 actions in films; a clip may show several.

ROOT/AVIClips/actioncliptrain00001.avi and ROOT/ClipSets/<Class>_{autotrain,train,test}.txt, and
optionally viewers' gaze, in ROOT/gaze_hollywood2 or elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.datasets.gaze.eye_tracks import EVENTS, clip_facts, clip_gaze
from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Listing, files_below, lines_of, settle
from zoo.datasets.record import Description, Record

__all__ = ["CLASSES", "DESCRIPTION", "listing", "load"]

CLASSES = tuple(
    """
    AnswerPhone DriveCar Eat FightPerson GetOutCar HandShake HugPerson Kiss Run SitDown SitUp
    StandUp
    """.split()  # noqa: SIM905
)
SPLITS = ("train", "test", "autotrain")
GAZE = "gaze_hollywood2"

DESCRIPTION = Description(
    name="hollywood2",
    classes=CLASSES,
    counts={"train": 823, "test": 884, "autotrain": 810},
    licence="research use",
    home_page="https://www.di.ens.fr/~laptev/actions/hollywood2/",
    citation="M. Marszalek, I. Laptev, C. Schmid: Actions in Context. CVPR 2009.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    autotrain: bool = False,
    gaze: str | Path | None = None,
    events: Sequence[str] = EVENTS,
    partial: bool = False,
) -> list[Record]:
    """Records of "train", "test" or "autotrain"; None gives train and test.

    The label of a record is a tuple of class indices, which may be empty.

    Args:
        root: Folder with `AVIClips` and `ClipSets`.
        split: "train", "test", "autotrain" or None.
        autotrain: With split=None, include the noisy training set made from film scripts.
        gaze: Folder of the recordings by Mathe and Sminchisescu, or by Vig, Dorr and Cox. None:
            `gaze_hollywood2` in or beside `root`, if it exists.
        events: Which samples of Mathe and Sminchisescu to use: "F" (fixations), "S" (saccades).
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split, or a clip set does not have its published form.

    Example: `zoo.datasets.hollywood2.load("data/Hollywood2", "train")`
    """
    found = listing(root, autotrain=autotrain or split == "autotrain", gaze=gaze, events=events)
    return settle(found, split, partial=partial)


def listing(
    root: str | Path,
    *,
    autotrain: bool = False,
    gaze: str | Path | None = None,
    events: Sequence[str] = EVENTS,
) -> Listing:
    """All clips that the clip sets list."""
    root = Path(root)
    require_files([root], "Hollywood2")
    root = root / "Hollywood2" if (root / "Hollywood2").is_dir() else root
    splits = SPLITS if autotrain else SPLITS[:2]
    labels = clip_labels(clip_set_files(root / "ClipSets", splits))
    if gaze is None:
        places = (root / GAZE, root.parent / GAZE)
        gaze = next((place for place in places if place.is_dir()), None)
    tracks = {} if gaze is None else clip_gaze(gaze, events)
    records = [
        Record(
            name=clip,
            video=f"{root}/AVIClips/{clip}.avi",
            split=split,
            label=held,
            gaze=tracks.get(clip),
            dataset="hollywood2",
        )
        for (split, clip), held in labels.items()
    ]
    named = {record.video for record in records}
    there = files_below(root / "AVIClips", (".avi",), 0)
    surplus = [
        path
        for path in there
        if path not in named and "actionclip" in path and (autotrain or "autotrain" not in path)
    ]
    return Listing(
        "Hollywood2",
        records,
        {split: DESCRIPTION.counts[split] for split in splits},
        surplus,
        _gaze_notes(records) if gaze is not None else (),
        {} if gaze is None else clip_facts(gaze),
        lost=[f"gaze of {clip}" for clip in sorted(set(tracks) - {r.name for r in records})],
    )


def _gaze_notes(records: Sequence[Record]) -> list[str]:
    blind = [record.name for record in records if record.gaze is None]
    if not blind:
        return ["every clip has gaze"]
    return [f"{len(blind)} clips without gaze: {', '.join(blind[:10])}"]


def clip_set_files(folder: Path, splits: Sequence[str]) -> dict[tuple[str, str], Path]:
    """(split, class) -> file of the clip set; all files must exist."""
    files = {(split, name): folder / f"{name}_{split}.txt" for split in splits for name in CLASSES}
    require_files(files.values(), "the clip sets of Hollywood2")
    return files


def clip_labels(files: dict[tuple[str, str], Path]) -> dict[tuple[str, str], tuple[int, ...]]:
    """(split, clip) -> class indices, from the clip sets of all classes.

    Each class has a clip set of its own, and all of them must list the same clips.
    """
    held: dict[tuple[str, str], list[int]] = {}
    clips: dict[str, set[str]] = {}
    for (split, name), file in files.items():
        here = set()
        for line in lines_of(file):
            parts = line.split()
            if len(parts) != 2 or parts[1] not in ("1", "-1", "+1"):
                raise ValueError(f"A line must be `clip 1|-1`. Received: {file}: {line!r}")
            here.add(parts[0])
            found = held.setdefault((split, parts[0]), [])
            if parts[1] != "-1":
                found.append(CLASSES.index(name))
        odd = sorted(clips.setdefault(split, here) ^ here)
        if odd:
            raise ValueError(
                "The clip sets of all classes must list the same clips. Received: "
                f"{file} differs in {len(odd)}: {odd[:10]}"
            )
    return {key: tuple(classes) for key, classes in held.items()}
