"""A folder of shards on this machine, on S3 or on a web server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from zoo.datasets.shards.format import ShardError, checksum, index_name, unpack_index
from zoo.datasets.shards.manifest import read_manifest
from zoo.datasets.shards.storage import open_storage
from zoo.datasets.shards.tfrecord import read_records
from zoo.datasets.shards.video import ShardVideo, videos_in


class ShardSet:
    """The videos of a folder of shards; opening it reads only the indices.

    Args:
        root: The folder, or its address: `s3://bucket/folder`, `http://host/folder`.

    Raises:
        ShardError: A file is missing or damaged, or does not match its index.

    Example:
        video = ShardSet("prepared")["clip_1"]
        window = video.stream("rgb")[40:56]  # (16, 112, 112, 3) uint8
    """

    def __init__(self, root: str | os.PathLike):
        self.root = os.fspath(root)
        self._storage = open_storage(root)
        self.manifest = read_manifest(self._storage, self.root)
        self.streams: dict[str, dict[str, Any]] = self.manifest["streams"]
        self._videos: dict[str, ShardVideo] = {}
        for shard in self.manifest["shards"]:
            self._videos.update(self._read_index(shard))

    def _read_index(self, shard: dict[str, Any]) -> dict[str, ShardVideo]:
        name = index_name(shard["file"])
        data = self._storage.read(name)
        if checksum(data) != shard["index_crc"]:
            raise ShardError(
                "A shard's index must be the one that `index.json` lists; prepare the data set "
                f"again. Received: {self.root}/{name} with another checksum"
            )
        meta, arrays = unpack_index(data, f"{self.root}/{name}")
        size = self._storage.size(shard["file"])
        if size is not None and size != meta.get("bytes"):
            raise ShardError(
                "A shard must have the size stated in its index. Received: "
                f"{self.root}/{shard['file']} of {size} bytes, expected {meta.get('bytes')}"
            )
        return videos_in(self, shard["file"], meta, arrays)

    def __len__(self) -> int:
        return len(self._videos)

    def __iter__(self) -> Iterator[ShardVideo]:
        return iter(self._videos.values())

    def __getitem__(self, name: str) -> ShardVideo:
        if name not in self._videos:
            raise ShardError(f"The shards must hold the video. Received: {name!r} of {self.root}")
        return self._videos[name]

    def read(self, file: str, offset: int, length: int) -> bytes:
        """Read bytes of a shard."""
        return self._storage.read_range(file, offset, length)

    def verify(self) -> int:
        """Read all shards and verify all checksums; return the number of TFRecords.

        Raises:
            ShardError: A shard is damaged.
        """
        count = 0
        for shard in self.manifest["shards"]:
            reader = _Counted(self._storage, shard["file"])
            try:
                for _ in read_records(reader, f"{self.root}/{shard['file']}"):
                    count += 1
            except ValueError as error:
                raise ShardError(
                    f"{error}. Delete this shard, and give the command of `zoo prepare` again: it "
                    "writes the shards that are missing"
                ) from error
        return count


class _Counted:
    """A file in a storage that is read sequentially."""

    def __init__(self, storage, name: str):
        self.storage, self.name, self.at = storage, name, 0

    def read(self, length: int) -> bytes:
        data = self.storage.read_range(self.name, self.at, length)
        self.at += len(data)
        return data
