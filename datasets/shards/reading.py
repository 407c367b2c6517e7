"""A data set that `zoo prepare` has turned into shards; here, on S3 or on a web server."""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.record import Description, GazeSource, Record
from zoo.datasets.shards.format import (
    FIXATIONS,
    MANIFEST,
    RGB,
    ShardError,
    check_version,
    checksum,
    index_name,
    record_from_json,
    unpack_index,
)
from zoo.datasets.shards.storage import open_storage
from zoo.datasets.shards.streams import JPEG
from zoo.datasets.shards.tfrecord import read_records
from zoo.datasets.video.frame_index import FrameIndex
from zoo.datasets.video.promise import Promise
from zoo.datasets.video.resizing import to_rgb

__all__ = ["DESCRIPTION", "Rows", "ShardError", "ShardSet", "ShardVideo", "load", "open_shards"]

DESCRIPTION = Description(name="shards")
SEPARATOR = "::"  # between the folder and the video's name, in a record's `video`
READ = 64  # frames that are read at a time
# What the manifest holds at least, and what it says of each shard.
FACTS = {"streams": dict, "shards": list, "splits": dict, "left_out": dict}
SHARD_FACTS = {"file": str, "index_crc": int}
SHARD_FILE = re.compile(r"[^/\\\0]+\.tfrecord")
GAP = 1 << 16  # bytes between wanted rows that are read rather than skipped


class ShardSet:
    """The videos of a folder of shards. Nothing but the indices is read before it is asked for.

    Args:
        root: The folder, or its address: `s3://bucket/folder`, `http://host/folder`.

    Example:
        video = ShardSet("prepared")["clip_1"]
        window = video.stream("rgb")[40:56]  # (16, 112, 112, 3) uint8
    """

    def __init__(self, root: str | os.PathLike):
        self.root = os.fspath(root)
        self._storage = open_storage(root)
        self.manifest = _manifest(self._storage, self.root)
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
                "A shard must be as long as its index says. Received: "
                f"{self.root}/{shard['file']} of {size} bytes, wanted {meta.get('bytes')}"
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
        """Bytes of a shard."""
        return self._storage.read_range(file, offset, length)

    def verify(self) -> int:
        """Read everything once, checking every checksum; return the number of TFRecords."""
        count = 0
        for shard in self.manifest["shards"]:
            reader = _Counted(self._storage, shard["file"])
            try:
                for _ in read_records(reader, f"{self.root}/{shard['file']}"):
                    count += 1
            except ValueError as error:
                raise ShardError(str(error)) from error
        return count


@dataclass(frozen=True)
class ShardVideo:
    """One video in the shards."""

    shards: ShardSet
    file: str
    facts: dict[str, Any]
    times: np.ndarray
    tables: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]

    @property
    def name(self) -> str:
        return self.facts["name"]

    @property
    def num_frames(self) -> int:
        return self.facts["num_frames"]

    @property
    def fps(self) -> float:
        return self.facts["fps"]

    @property
    def record(self) -> Record:
        """What is known about the video; its frames and gaze come from the shards."""
        place = f"{self.shards.root}{SEPARATOR}{self.name}"
        gaze = GazeSource((place,), "shards") if self.facts["watched"] else None
        # The shards hold the wanted part alone.
        changes = {"video": place, "gaze": gaze, "start": None, "end": None}
        return record_from_json(self.facts["record"], **changes)

    def stream(self, name: str) -> Rows:
        """The rows of "rgb", "features", "flow", or what else the shards hold."""
        if name not in self.shards.streams:
            raise ShardError(
                f"The stream must be one of {sorted(self.shards.streams)}; prepare the data set "
                f"with it. Received: {name!r} of {self.shards.root}"
            )
        return Rows(self, name)

    def read_rows(self, name: str, rows: Sequence[int]) -> list[bytes]:
        """Rows of a stream as they lie in the file, each checked; neighbours in one reading."""
        offsets, lengths, crcs = (table[rows] for table in self.tables[name])
        order = np.argsort(offsets, kind="stable")
        found: list[bytes] = [b""] * len(order)
        at = 0
        while at < len(order):
            first, end = order[at], at + 1
            stop = offsets[first] + lengths[first]
            while end < len(order) and offsets[order[end]] - stop <= GAP:
                stop = max(stop, offsets[order[end]] + lengths[order[end]])
                end += 1
            begin = int(offsets[first])
            data = memoryview(self.shards.read(self.file, begin, int(stop) - begin))
            for place in order[at:end]:
                start = int(offsets[place]) - begin
                row = data[start : start + int(lengths[place])]
                if checksum(row) != crcs[place]:
                    raise ShardError(
                        "Every row must fit its checksum; the shard is damaged or cut off: remove "
                        "it and give the command that wrote it again. "
                        f"Received: {self.shards.root}/{self.file}, {name} {rows[place]} of "
                        f"{self.name!r}"
                    )
                found[place] = bytes(row)
            at = end
        return found

    def fixations(self) -> Fixations:
        """Where people looked."""
        rows = self.read_rows(FIXATIONS, np.arange(self.num_frames))
        counts = [len(row) // 24 for row in rows]
        table = np.frombuffer(b"".join(rows), "<f8").reshape(-1, 3)
        return Fixations(
            frame=np.repeat(np.arange(self.num_frames), counts),
            x=table[:, 0],
            y=table[:, 1],
            viewer=table[:, 2].astype(np.int64),
            num_frames=self.num_frames,
            viewer_names=tuple(self.facts.get("viewers", ())),  # not in shards of 0.1.0
        )


def videos_in(owner, file: str, meta: dict, arrays: dict[str, np.ndarray]) -> dict[str, ShardVideo]:
    """The videos of one shard, by name, from its index."""
    try:
        _check_rows(meta, arrays, f"{owner.root}/{file}")
        return _videos_in(owner, file, meta, arrays)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ShardError(
            "A shard's index must be as `zoo prepare` wrote it. Received: "
            f"that of {owner.root}/{file} ({type(error).__name__}: {error})"
        ) from error


def _check_rows(meta: dict, arrays: dict[str, np.ndarray], place: str) -> None:
    for key in (key for key in arrays if key.endswith("_offset")):
        lengths = arrays[key.removesuffix("offset") + "length"]
        ends = arrays[key].astype(np.float64) + lengths
        if np.any(arrays[key] < 0) or np.any(lengths < 0) or np.any(ends > meta["bytes"]):
            raise ShardError(
                "Every row must lie in its shard. Received: "
                f"{place} of {meta['bytes']} bytes, {key} up to {ends.max():.0f}"
            )


def _videos_in(
    owner, file: str, meta: dict, arrays: dict[str, np.ndarray]
) -> dict[str, ShardVideo]:
    videos, frame, row = {}, 0, dict.fromkeys(arrays, 0)
    for held in meta["videos"]:
        times = arrays["times"][frame : frame + held["num_frames"]]
        frame += held["num_frames"]
        tables = {}
        for stream, count in held["rows"].items():
            part = slice(row.setdefault(stream, 0), row[stream] + count)
            row[stream] += count
            tables[stream] = tuple(
                arrays[f"{stream}_{fact}"][part] for fact in ("offset", "length", "crc")
            )
        videos[held["name"]] = ShardVideo(owner, file, held, times, tables)
    return videos


class Rows:
    """A stream of one video as an array that reads what is sliced out of it.

    Pictures are (frames, height, width, 3) uint8 RGB; all else is as it was stored.
    """

    def __init__(self, video: ShardVideo, name: str):
        self.video, self.name = video, name
        self.about = video.shards.streams[name]
        self.dtype = np.dtype(np.uint8 if self.about["dtype"] == JPEG else self.about["dtype"])
        row = self.about["shape"] or (video.facts["height"], video.facts["width"], 3)
        self.shape = (len(video.tables[name][0]), *(int(side) for side in row))
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key) -> np.ndarray:
        rest = ()
        if isinstance(key, tuple):
            key, rest = key[0], key[1:]
        rows = np.arange(len(self))[key]  # slices, masks and numbers below 0 as NumPy takes them
        flat = np.unique(rows)
        out = np.empty((len(flat), *self.shape[1:]), self.dtype)
        for at, data in enumerate(self.video.read_rows(self.name, flat)):
            out[at] = self._decode(data)
        out = out[np.searchsorted(flat, rows)]
        return out[(slice(None),) * np.ndim(rows) + rest] if rest else out

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        out = self[:]
        return out if dtype is None else out.astype(dtype)

    def _decode(self, data: bytes) -> np.ndarray:
        if self.about["dtype"] != JPEG:
            if self.about.get("compression") == "zlib":
                size = math.prod(self.shape[1:]) * self.dtype.itemsize
                apart = zlib.decompressobj().decompress(data, size)
                apart = np.frombuffer(apart, np.uint8).reshape(2, -1)
                data = np.ascontiguousarray(apart.T)
            return np.frombuffer(data, self.dtype).reshape(self.shape[1:])
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ShardError(f"Every frame must be a picture. Received: one of {self.video.name!r}")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


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


class _Counted:
    """A file in a storage, read on and on."""

    def __init__(self, storage, name: str):
        self.storage, self.name, self.at = storage, name, 0

    def read(self, length: int) -> bytes:
        data = self.storage.read_range(self.name, self.at, length)
        self.at += len(data)
        return data


def _manifest(storage, root: str) -> dict[str, Any]:
    try:
        found = json.loads(storage.read(MANIFEST))
    except FileNotFoundError as error:
        raise ShardError(
            f"A folder of shards must hold {MANIFEST}; `zoo prepare` writes it last, so run the "
            f"same command again where it was stopped. Received: {root} without"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ShardError(
            f"{MANIFEST} must be whole. Received: {root}/{MANIFEST} ({error})"
        ) from error
    check_version(found, f"{root}/{MANIFEST}")
    _check_manifest(found, f"{root}/{MANIFEST}")
    return found


def _check_manifest(found: dict[str, Any], name: str) -> None:
    """Are all facts there, and do all files lie in the folder itself?"""
    missing = [key for key, kind in FACTS.items() if not isinstance(found.get(key), kind)]
    if missing:
        raise ShardError(
            f"{MANIFEST} must be as `zoo prepare` wrote it. Received: {name} without {missing}"
        )
    for shard in found["shards"]:
        wrong = [
            key
            for key, kind in SHARD_FACTS.items()
            if not isinstance(shard, dict) or not isinstance(shard.get(key), kind)
        ]
        if wrong:
            raise ShardError(
                f"Every shard in {MANIFEST} must have {sorted(SHARD_FACTS)}. Received: {name} "
                f"with one without {wrong}"
            )
        if not SHARD_FILE.fullmatch(shard["file"]):
            raise ShardError(
                "A shard must be a .tfrecord file in the folder of its index. "
                f"Received: {shard['file']!r} in {name}"
            )
    for stream, about in found["streams"].items():
        if not isinstance(about, dict) or not {"dtype", "shape"} <= about.keys():
            raise ShardError(
                f"Every stream must have a type and a shape. Received: {stream!r} in {name} without"
            )


class ShardFrames:
    """Frames of a video in shards, as `open_video` takes them from a file or a folder."""

    def __init__(self, path: str):
        self.path = path
        self.video = shard_video(path)
        self._rows = self.video.stream(RGB)
        self.fps, self.rate_known, self.tick = self.video.fps, True, 1e-3
        self.promised = Promise(frames=self.video.num_frames)
        self.sample_aspect = Fraction(1)
        self.height, self.width = self._rows.shape[1:3]

    def scan(self) -> FrameIndex:
        """When the frames are shown."""
        times = self.video.times
        return FrameIndex(times=times, end=float(times[-1]) + 1 / self.fps)

    def walk(self, indices, size=None) -> Iterator[np.ndarray]:
        """Yield the frames of `indices`; stop at the last frame there is."""

        indices = iter(indices)
        while part := list(itertools.islice(indices, READ)):
            inside = [index for index in part if index < len(self._rows)]
            for frame in self._rows[inside]:
                yield to_rgb(frame[..., ::-1], size)
            if len(inside) < len(part):
                return
