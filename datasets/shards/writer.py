"""Writing one shard: a TFRecord file and its index, each atomically."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import Record, Tube
from zoo.datasets.shards.format import (
    FIXATIONS,
    ShardError,
    checksum,
    index_name,
    pack_index,
    record_to_json,
    unpack_index,
)
from zoo.datasets.shards.tfrecord import HEAD, encode_example, frame_record
from zoo.datasets.video.reading import VideoError, open_record
from zoo.files.atomic import atomic_path
from zoo.files.file_state import path_state


@dataclass(frozen=True)
class ShardTask:
    """Everything that one shard depends on; may be sent to another process or machine.

    Args:
        folder: Folder in which the shard is written.
        file: Name of its TFRecord file.
        records: Its videos.
        streams: What to store of them (`zoo.datasets.shards.streams`).
        chunk: Number of frames in one record of the TFRecord file.
        fps: Frame rate to sample at; None keeps every frame.
        skip_bad: Leave out videos that cannot be read, and list them in the index.
    """

    folder: str
    file: str
    records: tuple[Record, ...]
    streams: tuple[Any, ...]
    chunk: int = 64
    fps: float | None = None
    skip_bad: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that an existing shard must share in order to be kept."""
        streams = {stream.name: stream.describe() for stream in self.streams}
        return json.loads(json.dumps({"streams": streams, "chunk": self.chunk, "fps": self.fps}))


@dataclass(frozen=True)
class ShardResult:
    """The result of a task.

    Args:
        file: Name of the TFRecord file.
        bad: Name of an unreadable video -> reason.
        written: Whether the shard was written (rather than complete already, or given up).
    """

    file: str
    bad: dict[str, str]
    written: bool


def write_shard(task: ShardTask) -> ShardResult:
    """Write a shard unless it is complete already.

    If a video cannot be read, nothing is written unless `skip_bad` is set.
    """
    if is_complete(task):
        return ShardResult(task.file, {}, False)
    path = Path(task.folder, task.file)
    Path(task.folder, index_name(task.file)).unlink(missing_ok=True)
    writer, bad = _Writer(task), {}
    try:
        with atomic_path(path) as part, open(part, "wb") as file:
            for record in task.records:
                if bad and not task.skip_bad:  # nothing will be written: only find bad videos
                    bad.update(_look(record, task.fps))
                    continue
                end = file.tell()
                try:
                    writer.add(file, record)
                except (VideoError, IndexError) as error:
                    bad[record.name] = str(error)
                    file.seek(end)
                    file.truncate()
                    writer.forget()
            if bad and not task.skip_bad:
                raise _Stopped
            size = file.tell()
        index = writer.index(size, bad)
        with atomic_path(Path(task.folder, index_name(task.file))) as part:
            part.write_bytes(index)
    except _Stopped:
        return ShardResult(task.file, bad, False)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno,
                "The disk is full; complete shards are kept, and the same command continues once "
                "there is space",
                str(path),
            ) from error
        raise
    return ShardResult(task.file, bad, True)


def is_complete(task: ShardTask) -> bool:
    """Whether the shard exists with these settings and its videos have not changed since."""
    path, index = Path(task.folder, task.file), Path(task.folder, index_name(task.file))
    if not (path.is_file() and index.is_file()):
        return False
    try:
        meta, _ = unpack_index(index.read_bytes(), str(index))
    except ShardError:
        return False
    if meta["settings"] != task.settings or meta["bytes"] != path.stat().st_size:
        return False
    if meta["left_out"] and not task.skip_bad:
        return False
    held = {video["name"]: video for video in meta["videos"]}
    wanted = [record for record in task.records if record.name not in meta["left_out"]]
    return list(held) == [record.name for record in wanted] and all(
        held[record.name]["source"] == source_state(record)
        # Older shards do not say what they were made from.
        and held[record.name].get("made_from") in (None, made_from(record))
        for record in wanted
    )


def source_state(record: Record) -> list[list[Any]]:
    """Size and modification time of the files that a record's rows come from."""
    paths = [record.video, *(record.gaze.paths if record.gaze else ())]
    return [state for path in paths for state in path_state(path)]


def made_from(record: Record) -> dict[str, Any]:
    """A record's annotations, and how its gaze is read, without the folders of its files."""
    found = json.loads(json.dumps({**record_to_json(record), "video": None}))
    gaze = record.gaze
    if gaze is not None:
        names = tuple(os.path.basename(path) for path in gaze.paths)
        found["gaze"] = repr(dataclasses.replace(gaze, paths=names))
    return found


def stored_record(record: Record, chosen: np.ndarray, seconds: float) -> Record:
    """The record as it applies to the stored frames.

    Boxes are those of the stored frames. The times of segments count from the record's start;
    segments outside the record are left out.

    Args:
        record: The record of the whole video.
        chosen: The number of each stored frame in the video.
        seconds: Duration of the stored frames.
    """
    begin = record.start or 0.0
    changes: dict[str, Any] = {}
    if record.boxes is not None:
        changes["boxes"] = tuple(_stored_tube(tube, chosen) for tube in record.boxes)
    for name in ("segments", "ambiguous"):
        if getattr(record, name) is not None and (begin or record.end is not None):
            moved = [
                dataclasses.replace(part, start=max(0.0, part.start - begin), end=part.end - begin)
                for part in getattr(record, name)
            ]
            changes[name] = tuple(p for p in moved if p.end > 0 and p.start < seconds)
    return dataclasses.replace(record, **changes)


def _stored_tube(tube: Tube, chosen: np.ndarray) -> Tube:
    rows = chosen - tube.start
    frames = np.flatnonzero((rows >= 0) & (rows < len(tube.boxes)))
    rows = rows[frames]
    return dataclasses.replace(
        tube,
        start=int(frames[0]) if len(frames) else 0,
        boxes=np.asarray(tube.boxes)[rows],
        visible=None if tube.visible is None else np.asarray(tube.visible)[rows],
    )


class _Stopped(Exception):
    """A video cannot be read, so the shard is not written."""


def _look(record: Record, fps: float | None) -> dict[str, str]:
    try:
        _ = open_record(record, fps=fps).num_frames
    except VideoError as error:
        return {record.name: str(error)}
    return {}


class _Writer:
    """Writes videos as TFRecords in chunks, and keeps the positions of all rows."""

    def __init__(self, task: ShardTask):
        self.task = task
        self.names = [stream.name for stream in task.streams] + [FIXATIONS]
        self.videos: list[dict[str, Any]] = []
        self.times: list[np.ndarray] = []
        self.rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in self.names}
        self.kept = dict.fromkeys(self.names, 0)

    def forget(self) -> None:
        """Drop the rows of a video that was not finished."""
        for name, count in self.kept.items():
            del self.rows[name][count:]

    def add(self, file, record: Record) -> None:
        task = self.task
        video = open_record(record, fps=task.fps)
        total = video.num_frames
        fixations, viewers = None, ()
        if record.gaze is not None:
            gaze = read_fixations(record, fps=task.fps, warn=False)
            if gaze.num_frames != total:
                raise VideoError(
                    "A video and its gaze must have the same number of frames. Received: "
                    f"{total} and {gaze.num_frames} of {record.name}"
                )
            fixations, viewers = _gaze_rows(gaze), gaze.viewer_names
        seconds = total / video.fps
        text = record_to_json(stored_record(record, video.source_indices, seconds))
        sources = list(zip(task.streams, _shared_frames(video, task.streams)))
        streams = {s.name: (s.describe()["hop"], s.rows(f, total)) for s, f in sources}
        if fixations is not None:
            streams[FIXATIONS] = (1, iter(fixations))
        for number, first in enumerate(range(0, total, task.chunk)):
            last = min(first + task.chunk, total)
            self._chunk(file, record.name, text, number, (first, last, total), streams)
        counts = {name: len(self.rows[name]) - self.kept[name] for name in self.names}
        self.kept = {name: len(self.rows[name]) for name in self.names}
        self.videos.append(
            {
                "name": record.name,
                "record": text,
                "source": source_state(record),
                "made_from": made_from(record),
                "num_frames": total,
                "fps": video.fps,
                "height": video.height,
                "width": video.width,
                "watched": fixations is not None,
                "viewers": list(viewers),
                "rows": counts,
            }
        )
        times = video.source_times[video.source_indices]
        self.times.append(np.arange(total) / task.fps if task.fps else times - times[0])

    def _chunk(self, file, name, text, number, frames, streams) -> None:
        first, last, total = frames
        features: dict[str, Any] = {
            "video": [name.encode()],
            "record": [json.dumps(text, sort_keys=True).encode()],
            "chunk": np.array([number]),
            "frames": np.array([first, last, total]),
        }
        for stream, (hop, rows) in streams.items():
            begin, end = -(-first // hop), -(-last // hop)
            features[stream] = list(itertools.islice(rows, end - begin))
            features[f"{stream}_first"] = np.array([begin])
        data, places = encode_example(features)
        at = file.tell() + HEAD
        file.write(frame_record(data))
        for stream in streams:
            self.rows[stream] += [
                (at + place, len(row), checksum(row))
                for place, row in zip(places.get(stream, ()), features[stream])
            ]

    def index(self, size: int, bad: dict[str, str]) -> bytes:
        meta = {
            "file": self.task.file,
            "bytes": size,
            "settings": self.task.settings,
            "videos": self.videos,
            "left_out": bad,
        }
        arrays = {"times": np.concatenate([np.zeros(0), *self.times])}
        for name, rows in self.rows.items():
            table = np.asarray(rows, np.int64).reshape(-1, 3)
            arrays[f"{name}_offset"] = table[:, 0]
            arrays[f"{name}_length"] = table[:, 1].astype(np.int32)
            arrays[f"{name}_crc"] = table[:, 2].astype(np.uint32)
        return pack_index(meta, arrays)


def _shared_frames(video, streams: Sequence[Any]) -> list[Iterator[np.ndarray]]:
    """The frames for each stream; streams with the same picture size share the decoding."""
    sizes: dict[Any, list[int]] = {}
    for at, stream in enumerate(streams):
        sizes.setdefault(None if stream.size is None else tuple(stream.size), []).append(at)
    found: dict[int, Iterator[np.ndarray]] = {}
    for size, places in sizes.items():
        found.update(zip(places, itertools.tee(video.frames(size), len(places))))
    return [found[at] for at in range(len(streams))]


def _gaze_rows(gaze) -> list[bytes]:
    table = np.stack([gaze.x, gaze.y, gaze.viewer.astype(float)], 1)
    edges = np.searchsorted(gaze.frame, np.arange(gaze.num_frames + 1))
    return [table[a:b].astype("<f8").tobytes() for a, b in itertools.pairwise(edges)]
