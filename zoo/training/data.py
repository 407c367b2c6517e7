"""From a data set's name to what a recipe trains on: records, splits, frames and fixations."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.listing.check_gaze import tell_gaze
from zoo.datasets.listing.listing import show_counts
from zoo.datasets.record import Record
from zoo.datasets.video.clips import FrameCache
from zoo.training.features import video_key
from zoo.training.named_data import WITHOUT_SPLITS, named_options, of_split
from zoo.training.windows import Source

# Data set -> the splits to learn from, and the one to test on.
SPLITS = {
    "moving_targets": (("train", "validation"), "test"),
    "ucf_sports": (("train",), "test"),
    "dhf1k": (("train",), "validation"),  # the annotation of its test split is not published
    "csv": (("train", "validation"), "test"),
    **dict.fromkeys(("hollywood2", "hollywood2_images", "ucf_sports_videos"), (("train",), "test")),
    **dict.fromkeys(WITHOUT_SPLITS, (("train",), "test")),  # our split
    "shards": (("train", "validation"), "test"),  # or, without test videos, validation
}


def load_records(dataset: str, data_dir: str | Path, split: str) -> list[Record]:
    """Records with gaze to learn from ("train") or to test on ("test").

    `dataset` may be followed by options of its reader, as `ucf_sports:partial=1`. For `csv`,
    `data_dir` is the table; its videos without a split are for training.
    """
    dataset, options = named_options(dataset)
    if dataset not in SPLITS:
        raise ValueError(
            f"`dataset` must be one of {sorted(SPLITS)}. Received: dataset={dataset!r}"
        )
    if split not in ("train", "test"):
        raise ValueError(f'`split` must be "train" or "test". Received: split={split!r}')
    learn, test = SPLITS[dataset]
    wanted = learn if split == "train" else (test,)
    if dataset == "csv":
        from zoo.datasets import your_own

        found = [r for r in your_own.load(data_dir) if (r.split or "train") in wanted]
    elif dataset in WITHOUT_SPLITS:
        found = of_split(dataset, data_dir, split, **options)
    elif dataset == "shards":
        found = _of_shards(str(data_dir), split)
    else:
        show_counts()
        module = importlib.import_module(f"zoo.datasets.{dataset}")
        found = [r for name in wanted for r in module.load(data_dir, split=name, **options)]
    watched = [record for record in found if record.gaze is not None]
    show_counts()
    tell_gaze(watched)
    return watched


def _of_shards(root: str, split: str) -> list[Record]:
    """Split as the data set that was made into shards is, where it is one of `SPLITS`."""
    from zoo.datasets.shards import reading as shards

    held = shards.load(root)
    made_of = shards.open_shards(root).manifest["dataset"]
    learn, test = SPLITS.get(made_of, SPLITS["shards"])
    wanted = learn if split == "train" else (test,)
    return [record for record in held if (record.split or "train") in wanted]


def hold_out(
    records: Sequence[Record], share: float = 0.2, seed: int = 0
) -> tuple[list[Record], list[Record]]:
    """Split videos into (training, validation), drawn by the seed; each gets at least one."""
    if not 0.0 < share < 1.0:
        raise ValueError(f"`share` must be between 0 and 1. Received: share={share}")
    if len(records) < 2:
        raise ValueError(
            "Holding out needs at least 2 videos with gaze. "
            f"Received: {[record.name for record in records]}"
        )
    count = min(max(1, round(share * len(records))), len(records) - 1)
    drawn = set(np.random.default_rng(seed).permutation(len(records))[:count].tolist())
    return (
        [record for index, record in enumerate(records) if index not in drawn],
        [record for index, record in enumerate(records) if index in drawn],
    )


def frame_sources(
    records: Sequence[Record],
    cache: str | Path,
    size: tuple[int, int],
    *,
    least: int = 1,
    max_points: int | None = None,
    seed: int = 0,
) -> list[Source]:
    """Decode every video once into a memory map, and read its fixations.

    Videos in shards are not copied: their frames are read where they lie, window by window.

    Videos of fewer than `least` frames are left out, counted and named in a warning.
    `max_points` bounds the memory of the fixations: a sample of that many is kept a frame.
    """
    frames_of = FrameCache(cache)
    sources, short = [], []
    for record in records:
        frames = _shard_frames(record, size)
        if frames is None:
            frames = frames_of.get(record, size)
        if len(frames) < least:
            short.append(f"{record.name} ({len(frames)})")
            continue
        fixations = read_fixations(record)
        points = fixations.padded(min(max_points or 1 << 30, _most(fixations)), seed=seed)
        if len(points) != len(frames):
            raise ValueError(
                "A video and its fixations must have the same number of frames. "
                f"Received: {len(frames)} and {len(points)} of {record.name!r}"
            )
        sources.append(Source(record.name, frames, points, video_key(record)))
    if short:
        warnings.warn(
            f"{len(short)} of {len(records)} videos have fewer than {least} frames and are left "
            f"out: {', '.join(short)}",
            stacklevel=2,
        )
    if not sources:
        raise ValueError(
            f"At least one video must have {least} frames. "
            f"Received: {len(records)} records, {len(short)} too short"
        )
    return sources


def _shard_frames(record: Record, size: tuple[int, int]):
    """The frames of a video in shards, where they are of this size."""
    from zoo.datasets.shards.format import RGB
    from zoo.datasets.shards.reading import is_shard_video, shard_video

    if not is_shard_video(record.video):
        return None
    video = shard_video(record.video)
    if RGB not in video.shards.streams:
        return np.broadcast_to(np.uint8(127), (video.num_frames, *size, 3))  # never looked at
    rows = video.stream(RGB)
    return rows if rows.shape[1:3] == tuple(size) else None


def _most(fixations) -> int:
    return max(1, int(fixations.per_frame.max(initial=0)))
