"""Features of a frozen backbone: computed once and stored in compressed, checksummed shards."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.shards.format import FEATURES, ShardError, index_name, unpack_index
from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.datasets.shards.rows import Rows
from zoo.datasets.shards.video import ShardVideo, videos_in
from zoo.datasets.shards.writer import ShardTask, is_complete, write_shard
from zoo.datasets.video.reading import VideoError
from zoo.files.first_few import first_few

LEVEL = 1  # zlib level; higher ones gain little on features and take several times as long


class FeatureStore:
    """Features of videos in a folder, one shard per video, as compressed float16.

    The folder's name depends on everything that determines the features (the backbone's weights
    and options, as the stream describes them), and a file's name on the video, so features of
    other weights, options or videos are never mixed up. Shards are written atomically, so an
    interrupted computation continues where it stopped. If videos are themselves in shards that
    hold these features, they are read from there.

    Args:
        root: Folder of all such stores.
        stream: Computes the features; see `zoo.datasets.shards.streams`. Its description must
            have `digest` (of the weights), `clip_length` and `hop`. If it has a method
            `of(record)`, that returns the stream for one record.
        fps: Frame rate to sample at; None takes every frame.
        in_memory: Keep what was read, uncompressed, in memory. For features that fit into it and a
            model so small that unpacking them takes longer than a training step.

    Example:

    ```python
    store = FeatureStore("cache/features", BackboneFeatures(backbone, clip_length=16))
    store.compute(records)
    samples = Samples(records, Windows(50), inputs=[Features(store)])
    ```
    """

    def __init__(
        self,
        root: str | os.PathLike,
        stream: Any,
        *,
        fps: float | None = None,
        in_memory: bool = False,
    ):
        self.stream = _Compressed(stream)
        self.fps = fps
        self.in_memory = in_memory
        self._in_memory: dict[tuple, np.ndarray] = {}
        self.about: dict[str, Any] = self.stream.describe()
        self.streams = {FEATURES: self.about}
        text = json.dumps([self.about, fps], sort_keys=True)
        self.root = os.path.join(root, hashlib.sha256(text.encode()).hexdigest()[:24])
        self._opened = functools.lru_cache(maxsize=512)(self._open)

    def compute(
        self,
        records: Sequence[Record],
        *,
        skip_bad: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute the missing features.

        Args:
            records: Videos.
            skip_bad: Leave out videos that cannot be read.
            progress: Called with (videos done, all videos).

        Raises:
            VideoError: Videos cannot be read; raised after all others are done, it counts and
                names them.
        """
        bad: dict[str, str] = {}
        for done, record in enumerate(records, 1):
            if self._in_shards(record) is None:
                bad.update(write_shard(self._task(record)).bad)
            if progress is not None:
                progress(done, len(records))
        if bad and not skip_bad:
            named = [f"{name}: {why}" for name, why in sorted(bad.items())]
            raise VideoError(
                "Videos must be readable to compute features; repair or remove those that are not. "
                f"The others are done. Received: {len(bad)} of {len(records)}: "
                f"{first_few(named, '; ')}"
            )

    def rows(self, record: Record) -> Rows | np.ndarray:
        """The features of a record, (rows, ...); rows are read when they are indexed.

        With `in_memory`, an array of all of them.

        Raises:
            ShardError: The features have not been computed, or are damaged.
        """
        if not self.in_memory:
            return self._stored(record)
        key = (record.video, record.start, record.end, record.fps)
        if key not in self._in_memory:
            self._in_memory[key] = self._stored(record)[:]
        return self._in_memory[key]

    def _stored(self, record: Record) -> Rows:
        held = self._in_shards(record)
        if held is None:
            held = self._opened(self._task(record).file, record.name)
        return held.stream(FEATURES)

    def read(self, file: str, offset: int, length: int) -> bytes:
        """Bytes of a shard."""
        with open(os.path.join(self.root, file), "rb") as opened:
            opened.seek(offset)
            return opened.read(length)

    def _task(self, record: Record) -> ShardTask:
        about = [os.path.abspath(record.video), record.start, record.end]
        about += [] if record.fps is None else [record.fps]
        if is_shard_video(record.video):
            video = shard_video(record.video)
            about += [entry["index_crc"] for entry in video.shards.manifest["shards"]]
        key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]
        bare = Record(record.name, record.video, start=record.start, end=record.end, fps=record.fps)
        streams = (self.stream.of(record),)
        return ShardTask(self.root, f"{key}.tfrecord", (bare,), streams, fps=self.fps)

    def _open(self, file: str, name: str) -> ShardVideo:
        path = Path(self.root, index_name(file))
        if not path.is_file():
            raise ShardError(
                "Features must be computed before they are read: `FeatureStore.compute(records)`. "
                f"Received: no features of {name!r} in {self.root}"
            )
        meta, arrays = unpack_index(path.read_bytes(), str(path))
        (video,) = videos_in(self, file, meta, arrays).values()
        return video

    def _in_shards(self, record: Record) -> ShardVideo | None:
        """The record's video, if it is in shards that hold features of this backbone."""
        if self.fps is not None or not is_shard_video(record.video):
            return None
        video = shard_video(record.video)
        held = video.shards.streams.get(FEATURES)
        wanted = ("digest", "dense", "clip_length", "hop", "first")
        if held is None or any({"first": 0, **held}.get(n) != self.about.get(n) for n in wanted):
            return None
        return video

    def complete(self, record: Record) -> bool:
        """Whether the features of the video in its current state exist."""
        return self._in_shards(record) is not None or is_complete(self._task(record))


class JoinedFeatures:
    """Features of several stores, concatenated along the last axis.

    Args:
        stores: The stores; their rows must be at the same positions of a video.

    Raises:
        ValueError: The stores' clips or shapes (except for the last axis) differ.

    Example: `Samples(records, Windows(5), inputs=[Features(JoinedFeatures([rgb, flow]))])`
    """

    def __init__(self, stores: Sequence[FeatureStore]):
        places = {(s.about["clip_length"], s.about["hop"], s.about.get("first")) for s in stores}
        shapes = [tuple(store.about["shape"]) for store in stores]
        if len(places) != 1 or len({shape[:-1] for shape in shapes}) != 1:
            raise ValueError(
                "Joined features must have the same clips, and the same shape except for the last "
                "axis. "
                f"Received: shapes {shapes}, (clip_length, hop, first) {sorted(map(str, places))}"
            )
        self.stores = tuple(stores)
        shape = [*shapes[0][:-1], sum(shape[-1] for shape in shapes)]
        self.about = {**stores[0].about, "shape": shape}

    def rows(self, record: Record) -> _JoinedRows:
        """The features of a record, (rows, ...); rows are read when they are indexed."""
        return _JoinedRows([store.rows(record) for store in self.stores])


class _JoinedRows:
    def __init__(self, parts: Sequence[Rows]):
        self.parts = parts

    def __len__(self) -> int:
        return min(len(part) for part in self.parts)

    def __getitem__(self, rows) -> np.ndarray:
        return np.concatenate([part[rows] for part in self.parts], axis=-1)


class _Compressed:
    """A stream with compressed float16 rows: high and low bytes separated, then zlib."""

    def __init__(self, stream: Any):
        self.stream, self.name, self.size = stream, FEATURES, stream.size
        self._about = {"first": 0, **stream.describe(), "compression": "zlib"}

    def of(self, record: Record) -> _Compressed:
        """The stream for one record, if the wrapped stream has one for each."""
        if not hasattr(self.stream, "of"):
            return self
        own = copy.copy(self)
        own.stream = self.stream.of(record)
        return own

    def describe(self) -> dict[str, Any]:
        return self._about

    def rows(self, frames: Iterator[np.ndarray], total: int) -> Iterator[bytes]:
        for row in self.stream.rows(frames, total):
            apart = np.frombuffer(row, np.uint8).reshape(-1, 2).T
            yield zlib.compress(np.ascontiguousarray(apart), LEVEL)
