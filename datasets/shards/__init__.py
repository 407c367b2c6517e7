"""Data sets in shards: prepared once, then read in parts from disk, S3 or a web server."""

from zoo.datasets.shards.format import ShardError
from zoo.datasets.shards.reading import (
    DESCRIPTION,
    ShardSet,
    ShardVideo,
    is_shard_video,
    load,
    open_shards,
    shard_video,
)

__all__ = [
    "DESCRIPTION",
    "ShardError",
    "ShardSet",
    "ShardVideo",
    "is_shard_video",
    "load",
    "open_shards",
    "shard_video",
]
