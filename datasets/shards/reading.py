"""A data set in shards written by `zoo prepare`: its records, and the videos that they refer to."""

from __future__ import annotations

import functools
import os
import warnings

from zoo.datasets.record import Description, Record
from zoo.datasets.shards.format import MANIFEST, SEPARATOR, ShardError
from zoo.datasets.shards.rows import Rows
from zoo.datasets.shards.shard_set import ShardSet
from zoo.datasets.shards.video import ShardVideo

__all__ = [
    "DESCRIPTION",
    "Rows",
    "ShardError",
    "ShardSet",
    "ShardVideo",
    "is_shard_video",
    "load",
    "open_shards",
    "shard_video",
]

DESCRIPTION = Description(name="shards")


def load(root: str | os.PathLike, split: str | None = None) -> list[Record]:
    """Records of a folder of shards; their frames and gaze are read from the shards.

    Args:
        root: The folder, or its address: `s3://bucket/folder`, `http://host/folder`.
        split: One of the splits in the shards; None gives all.

    Raises:
        ShardError: A file is missing or damaged, or there are no videos.
        ValueError: There is no such split.

    Example: `zoo.datasets.shards.load("prepared", "train")`
    """
    shards = open_shards(os.fspath(root))
    splits = set(shards.manifest["splits"])
    if split is not None and split not in splits:
        raise ValueError(f"`split` must be one of {sorted(splits)} or None. Received: {split!r}")
    if not len(shards):
        raise ShardError(
            f"The shards must hold at least one video. Received: {root} without videos"
        )
    if shards.manifest["left_out"]:
        left = shards.manifest["left_out"]
        warnings.warn(
            f"{len(left)} videos could not be read when the shards were written: "
            f"{sorted(left)[:10]}",
            stacklevel=2,
        )
    records = [video.record for video in shards]
    return [record for record in records if split is None or (record.split or "all") == split]


@functools.lru_cache(maxsize=8)
def _opened(root: str, state: str, process: int) -> ShardSet:
    return ShardSet(root)


def open_shards(root: str) -> ShardSet:
    """The shards of a folder, which are opened only once unless they change.

    Example: `len(open_shards("prepared"))` is the number of videos.
    """
    state = ""
    if "://" not in root:
        path = os.path.join(root, MANIFEST)
        state = str(os.stat(path).st_mtime_ns) if os.path.isfile(path) else ""
    return _opened(root, state, os.getpid())


def is_shard_video(path: str) -> bool:
    """Whether a record's `video` is in shards.

    Example: `is_shard_video("prepared::clip_1")` is True.
    """
    return SEPARATOR in path and not os.path.exists(path)


def shard_video(path: str) -> ShardVideo:
    """The video in shards that a record's `video` refers to.

    Example: `shard_video("prepared::clip_1").num_frames`
    """
    root, _, name = path.rpartition(SEPARATOR) if path.count(SEPARATOR) == 1 else _split(path)
    return open_shards(root)[name]


def _split(path: str) -> tuple[str, str, str]:
    """Folder, separator and name, for a path in which folder or name contain the separator too."""
    parts = path.split(SEPARATOR)
    for at in range(1, len(parts)):
        root, name = SEPARATOR.join(parts[:at]), SEPARATOR.join(parts[at:])
        if "://" in root or os.path.isfile(os.path.join(root, MANIFEST)):
            return root, SEPARATOR, name
    return path.partition(SEPARATOR)
