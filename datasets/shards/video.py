"""Videos in shards, read from a shard's index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.shards.format import (
    FIXATIONS,
    SEPARATOR,
    ShardError,
    checksum,
    record_from_json,
)
from zoo.datasets.shards.rows import Rows

GAP = 1 << 16  # gaps of up to this many bytes between rows are read rather than skipped


@dataclass(frozen=True)
class ShardVideo:
    """One video in the shards.

    Args:
        shards: The `ShardSet` or store that reads the files (with `root`, `streams`, `read`).
        file: Name of the TFRecord file.
        facts: The video's entry in the shard's index.
        times: (frames,) seconds after the first frame.
        tables: Stream -> positions, lengths and checksums of its rows in the file.

    Example: `ShardSet("prepared")["clip_1"].stream("rgb")[:16]`  # (16, 112, 112, 3) uint8
    """

    shards: Any
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
        """The video's record, whose frames and gaze are read from the shards."""
        place = f"{self.shards.root}{SEPARATOR}{self.name}"
        gaze = GazeSource((place,), "shards") if self.facts["watched"] else None
        # The shards hold only the part between `start` and `end`.
        changes = {"video": place, "gaze": gaze, "start": None, "end": None}
        return record_from_json(self.facts["record"], **changes)

    def stream(self, name: str) -> Rows:
        """The rows of "rgb", "features", "flow" or another stream in the shards.

        Raises:
            ShardError: There is no such stream.
        """
        if name not in self.shards.streams:
            raise ShardError(
                f"The stream must be one of {sorted(self.shards.streams)}; prepare the data set "
                f"with it. Received: {name!r} of {self.shards.root}"
            )
        return Rows(self, name)

    def read_rows(self, name: str, rows: Sequence[int]) -> list[bytes]:
        """The stored bytes of some rows, with checksums verified.

        Rows that are close to each other in the file are read at once.

        Raises:
            ShardError: A row does not match its checksum.
        """
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
                        "Every row must match its checksum; the shard is damaged or cut off, so "
                        "delete it and repeat the command that wrote it. "
                        f"Received: {self.shards.root}/{self.file}, {name} {rows[place]} of "
                        f"{self.name!r}"
                    )
                found[place] = bytes(row)
            at = end
        return found

    def fixations(self) -> Fixations:
        """The fixations on the video."""
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
    """Name -> video, for all videos of a shard, from its index.

    Raises:
        ShardError: The index is not as `zoo prepare` wrote it.
    """
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
