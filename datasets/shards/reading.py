"""A data set that `zoo prepare` has turned into shards, and the videos that its records mean."""

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
    """Records of a folder of shards; their `video` and `gaze` are read from the shards."""
    shards = open_shards(os.fspath(root))
    splits = set(shards.manifest["splits"])
    if split is not None and split not in splits:
        raise ValueError(f"`split` must be one of {sorted(splits)} or None. Received: {split!r}")
    if not len(shards):
        raise ShardError(f"The shards must hold a video. Received: {root} without")
    if shards.manifest["left_out"]:
        left = shards.manifest["left_out"]
        warnings.warn(
            f"{len(left)} videos could not be read when the shards were made: {sorted(left)[:10]}",
            stacklevel=2,
        )
    records = [video.record for video in shards]
    return [record for record in records if split is None or (record.split or "all") == split]


@functools.lru_cache(maxsize=8)
def _opened(root: str, state: str, process: int) -> ShardSet:
    return ShardSet(root)


def open_shards(root: str) -> ShardSet:
    """The shards of a folder; opened once, and again when they have changed."""
    state = ""
    if "://" not in root:
        path = os.path.join(root, MANIFEST)
        state = str(os.stat(path).st_mtime_ns) if os.path.isfile(path) else ""
    return _opened(root, state, os.getpid())


def is_shard_video(path: str) -> bool:
    """Whether a record's `video` lies in shards."""
    return SEPARATOR in path and not os.path.exists(path)


def shard_video(path: str) -> ShardVideo:
    """The video that a record's `video` means."""
    root, _, name = path.rpartition(SEPARATOR) if path.count(SEPARATOR) == 1 else _split(path)
    return open_shards(root)[name]


def _split(path: str) -> tuple[str, str, str]:
    """Folder and name, where one of them holds the separator too."""
    parts = path.split(SEPARATOR)
    for at in range(1, len(parts)):
        root, name = SEPARATOR.join(parts[:at]), SEPARATOR.join(parts[at:])
        if "://" in root or os.path.isfile(os.path.join(root, MANIFEST)):
            return root, SEPARATOR, name
    return path.partition(SEPARATOR)
