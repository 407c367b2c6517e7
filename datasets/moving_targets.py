"""moving_targets: synthetic videos with ground truth for every task, generated from a seed.

Several objects fly over a drifting background. One of them, the target, has a warm colour and
performs one of seven actions in a part of the video. Simulated viewers follow it with a delay and
with errors, biased towards the centre, and sometimes look at other objects or anywhere. The
density from which their gaze is drawn is known exactly.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.datasets.made.picture import render
from zoo.datasets.made.scene import (
    ACTION_SHARE,
    CLASSES,
    boxes,
    draw_scene,
    visible_share,
)
from zoo.datasets.made.viewers import GazeDensity, draw_gaze, gaze_density
from zoo.datasets.record import Description, GazeSource, Record, Segment, Tube
from zoo.datasets.video.writer import VideoWriter
from zoo.files.atomic import atomic_path, write_text

__all__ = ["CLASSES", "DESCRIPTION", "density", "load", "make", "true_density"]

VERSION = 1
SPLITS = ("train", "validation", "test")
SHARES = (0.7, 0.15, 0.15)
TARGET_LABEL, OTHER_LABEL = 0, 1  # labels of the boxes

DESCRIPTION = Description(
    name="moving_targets",
    classes=CLASSES,
    licence="made by this program; no licence needed",
    citation="Made data of the video attention zoo.",
)


def make(
    root: str | Path,
    *,
    num_videos: int = 100,
    frames: int = 48,
    size: tuple[int, int] = (112, 112),
    fps: float = 25.0,
    seed: int = 0,
    viewers: int = 12,
    objects: int = 4,
    occlusions: bool = False,
    action_share: tuple[float, float] = ACTION_SHARE,
    progress: bool = False,
) -> list[Record]:
    """Write the data set into the folder `root` and return its records.

    Each video depends only on the seed and its number. An unfinished folder is completed, a
    finished one is loaded.

    Args:
        root: Folder of the data set.
        num_videos: Number of videos, at least 3; 70% train, 15% validation, 15% test.
        frames: Frames per video, at least 16.
        size: (height, width) in pixels, at least 48 each.
        fps: Frames per second.
        seed: Random seed for everything.
        viewers: Number of viewers who watch each video.
        objects: Number of moving objects, including the target.
        occlusions: Put two bars in front of the scene, behind which the target passes.
        action_share: Smallest and largest fraction of a video that shows the action.
        progress: Print a progress bar.

    Raises:
        ValueError: An argument is out of range, or the folder was made with other arguments or
            holds other files.

    Example: `records = zoo.datasets.moving_targets.make("data/moving_targets", num_videos=20)`
    """
    if not 0 < action_share[0] <= action_share[1] <= 0.6:
        raise ValueError(
            "`action_share` must be two fractions in (0, 0.6], the smaller one first. "
            f"Received: action_share={action_share}"
        )
    for name, value, least in (
        ("num_videos", num_videos, 3),
        ("frames", frames, 16),
        ("size", min(size), 48),
        ("viewers", viewers, 1),
        ("objects", objects, 1),
    ):
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}. Received: {name}={value}")
    root = Path(root)
    settings = {
        "version": VERSION,
        "num_videos": num_videos,
        "frames": frames,
        "size": [int(size[0]), int(size[1])],
        "fps": float(fps),
        "seed": seed,
        "viewers": viewers,
        "objects": objects,
        "occlusions": occlusions,
    }
    if tuple(action_share) != ACTION_SHARE:  # folders made before this option lack the entry
        settings["action_share"] = [float(share) for share in action_share]
    _claim(root, settings)
    numbers: Sequence[int] = [n for n in range(num_videos) if not _truth_path(root, n).is_file()]
    if progress and numbers:
        from rich.progress import track

        numbers = track(numbers, description="Writing moving_targets")
    for number in numbers:
        _write_video(root, number, settings)
    if not (root / "index.npz").is_file():
        _write_index(root, settings)
    return load(root)


def load(root: str | Path, split: str | None = None) -> list[Record]:
    """Records of "train", "validation" or "test"; None gives all.

    Args:
        root: Folder that `make` has written.
        split: "train", "validation", "test" or None.

    Raises:
        FileNotFoundError: The folder is unfinished, or videos are missing.
        ValueError: There is no such split.

    Example: `zoo.datasets.moving_targets.load("data/moving_targets", "train")`
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"`split` must be one of {SPLITS} or None. Received: split={split!r}")
    root = Path(root)
    if not (root / "index.npz").is_file():
        raise FileNotFoundError(
            "A folder of moving_targets must hold index.npz, which "
            "`zoo.datasets.moving_targets.make` writes at the end. "
            f"Received: {root}, " + ("without it" if root.is_dir() else "which is not a folder")
        )
    settings = json.loads((root / "settings.json").read_text())
    with np.load(root / "index.npz") as held:
        index = dict(held)
    missing = [n for n in range(len(index["label"])) if not _video_path(root, n).is_file()]
    if missing:
        raise FileNotFoundError(
            f"All videos of the index must be there. Received: {root}, {len(missing)} missing: "
            f"{[_name(n) for n in missing[:10]]}"
        )
    records = []
    for number, label in enumerate(index["label"].tolist()):
        if split is not None and index["split"][number] != SPLITS.index(split):
            continue
        first, last = index["segment"][number] / settings["fps"]
        tubes = [
            Tube(
                TARGET_LABEL if at == 0 else OTHER_LABEL,
                0,
                index["boxes"][number, at],
                index["visible"][number] if at == 0 else None,
            )
            for at in range(settings["objects"])
        ]
        records.append(
            Record(
                name=_name(number),
                video=str(_video_path(root, number)),
                split=SPLITS[index["split"][number]],
                label=label,
                gaze=GazeSource((str(root / "gaze" / f"{_name(number)}.csv"),)),
                boxes=tuple(tubes),
                segments=(Segment(label, float(first), float(last)),),
                dataset="moving_targets",
            )
        )
    return records


def density(record: Record) -> GazeDensity:
    """The exact gaze density of a record of this data set, as a mixture.

    Raises:
        ValueError: The record belongs to another data set, or the folder `truth` is missing.

    Example: `density(records[0]).maps(36, 64)`  # (frames, 36, 64)
    """
    path = Path(record.video).parent.parent / "truth" / f"{record.name}.npz"
    if record.dataset != "moving_targets" or not path.is_file():
        raise ValueError(
            "The true density is known for records of moving_targets only. Received: record "
            f"{record.name!r} of {record.dataset!r}"
        )
    with np.load(path) as held:
        return GazeDensity(held["means"], held["sigmas"], held["weights"], float(held["uniform"]))


def true_density(record: Record, height: int, width: int) -> np.ndarray:
    """The exact gaze probability of each pixel, (frames, height, width) float32.

    Each frame sums to 1.

    Example: `true_density(records[0], 36, 64)`  # (frames, 36, 64)
    """
    return density(record).maps(height, width)


def _name(number: int) -> str:
    return f"video_{number:06d}"


def _video_path(root: Path, number: int) -> Path:
    return root / "videos" / f"{_name(number)}.mp4"


def _truth_path(root: Path, number: int) -> Path:
    return root / "truth" / f"{_name(number)}.npz"


def _claim(root: Path, settings: dict) -> None:
    file = root / "settings.json"
    if file.is_file():
        held = json.loads(file.read_text())
        differing = sorted(
            name for name in {*settings, *held} if held.get(name) != settings.get(name)
        )
        if differing:
            raise ValueError(
                "A folder holds the data of one set of arguments. Received: "
                f"root={root}, made with other {differing}"
            )
        return
    if root.is_dir() and any(root.iterdir()):
        raise ValueError(f"`root` must be empty or hold moving_targets. Received: root={root}")
    write_text(file, json.dumps(settings, indent=1))


def _splits(settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Split and label of each video; labels are balanced within a split."""
    count = settings["num_videos"]
    rng = np.random.default_rng([settings["seed"], 0])
    held_out = max(1, round(SHARES[1] * count))
    sizes = (count - 2 * held_out, held_out, held_out)
    order = rng.permutation(count)
    split, label = np.empty(count, np.int64), np.empty(count, np.int64)
    start = 0
    for number, length in enumerate(sizes):
        chosen = order[start : start + length]
        split[chosen] = number
        label[chosen] = (np.arange(length) + number) % len(CLASSES)
        start += length
    return split, label


def _write_video(root: Path, number: int, settings: dict) -> None:
    rng = np.random.default_rng([settings["seed"], 1, number])
    frames, (height, width), fps = settings["frames"], settings["size"], settings["fps"]
    scene = draw_scene(
        rng,
        frames=frames,
        fps=fps,
        label=int(_splits(settings)[1][number]),
        objects=settings["objects"],
        occlusions=settings["occlusions"],
        action_share=tuple(settings.get("action_share", ACTION_SHARE)),
    )
    # One encoder thread, because the output of x264 depends on the number of threads.
    with VideoWriter(
        _video_path(root, number), fps=fps, height=height, width=width, quality=16, threads=1
    ) as writer:
        for picture in render(scene, frames=frames, height=height, width=width):
            writer.write(picture)
    mixture = gaze_density(scene)
    gaze = draw_gaze(rng, mixture, viewers=settings["viewers"])
    _write_gaze(root / "gaze" / f"{_name(number)}.csv", gaze, height, width)
    corners = boxes(scene, height, width)
    with atomic_path(_truth_path(root, number)) as part:  # last, because it marks the video done
        np.savez(
            part,
            means=mixture.means,
            sigmas=mixture.sigmas,
            weights=mixture.weights,
            uniform=mixture.uniform,
            boxes=corners,
            visible=visible_share(scene, corners[0], width),
            segment=np.asarray(scene.segment),
        )


def _write_gaze(path: Path, gaze: dict[str, np.ndarray], height: int, width: int) -> None:
    # Rounding must not move a point beyond the edge.
    x = np.minimum(gaze["x"] * width, width - 1e-3).tolist()
    y = np.minimum(gaze["y"] * height, height - 1e-3).tolist()
    rows = zip(gaze["viewer"].tolist(), gaze["frame"].tolist(), x, y)
    with atomic_path(path) as part, open(part, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["viewer", "frame", "x", "y"])
        writer.writerows((viewer, frame, f"{a:.3f}", f"{b:.3f}") for viewer, frame, a, b in rows)


def _write_index(root: Path, settings: dict) -> None:
    split, label = _splits(settings)
    columns: dict[str, list[np.ndarray]] = {"boxes": [], "visible": [], "segment": []}
    for number in range(settings["num_videos"]):
        with np.load(_truth_path(root, number)) as held:
            for name, values in columns.items():
                values.append(held[name])
    stacked = {name: np.stack(values) for name, values in columns.items()}
    with atomic_path(root / "index.npz") as part:
        np.savez(part, split=split, label=label, **stacked)
