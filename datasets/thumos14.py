"""THUMOS14: temporal localisation of 20 actions; 200 validation and 213 test videos.

ROOT/validation/video_validation_0000051.mp4, ROOT/test/..., and the segments in
ROOT/annotation*/{BaseballPitch,Ambiguous,...}_{val,test}.txt
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.datasets.listing.checks import require_files
from zoo.datasets.listing.listing import Facts, Listing, files_below, lines_of, settle
from zoo.datasets.record import Description, Record, Segment
from zoo.files.mat import load_mat

__all__ = ["AMBIGUOUS", "CLASSES", "DESCRIPTION", "DROPPED", "IDS", "listing", "load"]

# Class -> its number in the published files, the same as in UCF101.
NUMBERED = {
    "BaseballPitch": 7,
    "BasketballDunk": 9,
    "Billiards": 12,
    "CleanAndJerk": 21,
    "CliffDiving": 22,
    "CricketBowling": 23,
    "CricketShot": 24,
    "Diving": 26,
    "FrisbeeCatch": 31,
    "GolfSwing": 33,
    "HammerThrow": 36,
    "HighJump": 40,
    "JavelinThrow": 45,
    "LongJump": 51,
    "PoleVault": 68,
    "Shotput": 79,
    "SoccerPenalty": 85,
    "TennisSwing": 92,
    "ThrowDiscus": 93,
    "VolleyballSpiking": 97,
}
CLASSES = tuple(NUMBERED)
IDS = tuple(NUMBERED.values())
AMBIGUOUS = -1  # label of segments that the annotators were unsure about
# Test videos that are commonly left out because their annotation is wrong or missing.
DROPPED = ("video_test_0000270", "video_test_0001292", "video_test_0001496")
SPLITS = {"validation": "val", "test": "test"}
ALL_VIDEOS = {"validation": 1010, "test": 1574}
FOLDERS = {
    "validation": ("validation", "validation_videos", "TH14_validation_set_mp4", "val", ""),
    "test": ("test", "test_videos", "TH14_test_set_mp4", ""),
}
ANNOTATION = {
    "validation": ("annotations_val", "annotation", "TH14_Temporal_annotations_validation", ""),
    "test": ("annotations_test", "annotation", "TH14_Temporal_Annotations_Test", ""),
}
META = {"validation": "validation_set.mat", "test": "test_set_meta.mat"}
VIDEOS = (".mp4", ".avi", ".mkv", ".webm")

DESCRIPTION = Description(
    name="thumos14",
    classes=CLASSES,
    counts={"validation": 200, "test": 213},
    licence="research use; videos from YouTube",
    home_page="https://www.crcv.ucf.edu/THUMOS14/",
    citation="Y.-G. Jiang et al.: THUMOS Challenge: Action Recognition with a Large Number of "
    "Classes. 2014.",
)


def load(
    root: str | Path,
    split: str | None = None,
    *,
    annotation: str | Path | None = None,
    drop: Sequence[str] = (),
    partial: bool = False,
) -> list[Record]:
    """Records of "validation" (to train on) or "test", with segments in seconds; None gives both.

    The label of a record is the tuple of the classes of its segments. Segments that the
    annotators were unsure about are in `ambiguous`. The videos' frame rates differ: use each
    video's time stamps (`open_video(path).source_times`) to convert seconds to frames.

    Args:
        root: Folder with the videos in `validation` and `test`.
        split: "validation", "test" or None.
        annotation: Folder of the segment files if it is not below `root`.
        drop: Names of videos to leave out; `DROPPED` lists those that are commonly left out.
        partial: Accept fewer videos than published.

    Raises:
        FileNotFoundError: Files are missing; the error counts and names them.
        ValueError: There is no such split, or a segment file does not have its published form.

    Example: `zoo.datasets.thumos14.load("data/THUMOS14", "validation")`
    """
    return settle(listing(root, annotation=annotation, drop=drop), split, partial=partial)


def listing(
    root: str | Path, *, annotation: str | Path | None = None, drop: Sequence[str] = ()
) -> Listing:
    """All videos that have segments."""
    root = Path(root)
    require_files([root], "THUMOS14")
    places = root if annotation is None else Path(annotation)
    records, surplus, facts, notes = [], [], {}, []
    counts: dict[str, int | tuple[int, ...]] = {}
    for split, short in SPLITS.items():
        folder = _first(places, ANNOTATION[split], f"BaseballPitch_{short}.txt")
        certain = read_segments(folder, short)
        unsure = _read_file(folder / f"Ambiguous_{short}.txt", AMBIGUOUS)
        videos = next(
            root / name for name in FOLDERS[split] if (root / name).is_dir() or name == ""
        )
        there = {
            os.path.splitext(os.path.basename(path))[0]: path
            for path in files_below(videos, VIDEOS, 0)
        }
        for name, segments in certain.items():
            if name not in drop:
                records.append(
                    Record(
                        name=name,
                        video=there.get(name, f"{videos}/{name}.mp4"),
                        split=split,
                        label=tuple(sorted({segment.label for segment in segments})),
                        segments=tuple(segments),
                        ambiguous=tuple(unsure.get(name, ())) or None,
                        dataset="thumos14",
                    )
                )
        gone = sum(name in drop for name in certain)
        published = DESCRIPTION.counts[split] - gone
        counts[split] = (published - 1, published) if split == "test" else published
        prefix = f"video_{split}_"
        bare = [n for n in there if n.startswith(prefix) and n not in certain and n not in drop]
        if bare:
            notes.append(
                f"{len(bare)} of the {ALL_VIDEOS[split] - len(certain)} published {split} videos "
                "without segments were found; they have no records"
            )
        surplus += [path for name, path in there.items() if not name.startswith("video_")]
        facts.update(_facts(folder, root, split))
    if drop:
        notes.append(f"left out on purpose: {', '.join(drop)}")
    return Listing("THUMOS14", records, counts, surplus, notes, facts)


def read_segments(folder: str | Path, short: str) -> dict[str, list[Segment]]:
    """Video -> its segments in order of time, from the 20 files of "val" or "test"."""
    files = {label: Path(folder) / f"{name}_{short}.txt" for label, name in enumerate(CLASSES)}
    require_files(files.values(), "the segments of THUMOS14")
    found: dict[str, list[Segment]] = {}
    for label, file in files.items():
        for name, segments in _read_file(file, label).items():
            found.setdefault(name, []).extend(segments)
    ordered = {name: sorted(found[name], key=lambda s: (s.start, s.end)) for name in sorted(found)}
    return ordered


def _read_file(file: Path, label: int) -> dict[str, list[Segment]]:
    found: dict[str, list[Segment]] = {}
    for line in lines_of(file):
        parts = line.split()
        try:
            name, start, end = parts[0], float(parts[1]), float(parts[2])
            if len(parts) != 3 or not 0 <= start < end:
                raise ValueError
        except (IndexError, ValueError):
            raise ValueError(
                f"A line must be `video start end`, in seconds. Received: {file}: {line!r}"
            ) from None
        segment = Segment(label, start, end)
        if segment not in found.setdefault(name, []):  # some lines are repeated
            found[name].append(segment)
    return found


def _first(root: Path, names: Sequence[str], file: str) -> Path:
    tried = [root / name for name in names]
    below = [place / "annotation" for place in tried]
    return next((place for place in (*tried, *below) if (place / file).is_file()), tried[0])


def _facts(folder: Path, root: Path, split: str) -> dict[str, Facts]:
    """Facts about the videos from the published meta file, if there is one."""
    places = (root, folder, folder.parent)
    file = next((place / META[split] for place in places if (place / META[split]).is_file()), None)
    if file is None:
        return {}
    held = next((v for v in load_mat(file).values() if isinstance(v, (list, np.ndarray))), [])
    return {str(video["video_name"]): _fact(video) for video in held}


def _fact(video: dict) -> Facts:
    def number(name: str) -> float | None:
        value = np.asarray(video.get(name, ()), dtype=object).ravel()
        return float(value[0]) if value.size else None

    frames, height, width = (
        None if (value := number(name)) is None else int(value)
        for name in ("number_of_frames", "frame_height_pixels", "frame_width_pixels")
    )
    return Facts(frames, height, width, number("video_duration_seconds"))
