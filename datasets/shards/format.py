"""What a folder of shards holds, and how records and rows stand in it.

A folder has an `index.json` (what the streams are, and the list of shards), and for every shard a
TFRecord file with an index (`.npz`) beside it. A record of the TFRecord file is a chunk of a
video's frames, a `tf.train.Example`:

    video           the video's name
    record          all that is known about it (JSON)
    chunk           number of the chunk, [k]
    frames          first frame of the chunk, the frame after its last one, frames of the video
    rgb             JPEG pictures, one a frame
    features        float16, a row for every clip (or frame) that begins in the chunk
    flow            float16 (height, width, 2), one a frame, zero for the video's first
    fixations       float64 (n, 3) of x, y and viewer, one array a frame
    <stream>_first  number of the stream's first row in the chunk

A stream whose description says `compression` holds each row's bytes compressed: "zlib", with the
high and the low bytes of the float16 numbers apart. Streams that were not asked for are absent.
The index says where every single row begins in the TFRecord file, how long it is, and its CRC-32:
any row is read alone, and checked.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zlib
from typing import Any

import numpy as np

from zoo.datasets.record import Record, Segment, Tube
from zoo.files.npz import read_npz

FORMAT, VERSION = "video-attention-zoo shards", 1
MANIFEST = "index.json"
SETTINGS = "settings.json"
FIXATIONS = "fixations"
RGB, FEATURES, FLOW = "rgb", "features", "flow"


class ShardError(ValueError):
    """A shard that is not what its index says; the message names it."""


def shard_name(split: str | None, number: int, count: int) -> str:
    """File name of a shard."""
    return f"{split or 'all'}-{number:05d}-of-{count:05d}.tfrecord"


def index_name(shard: str) -> str:
    """File name of a shard's index."""
    return shard.removesuffix(".tfrecord") + ".npz"


def record_to_json(record: Record) -> dict[str, Any]:
    """A record without the places of its files."""
    found = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.name in ("gaze", "truth_maps") or value is None or value == "":
            continue
        if isinstance(value, tuple):
            value = [_plain(item) for item in value]
        found[field.name] = value
    return found


def record_from_json(found: dict[str, Any], **changes) -> Record:
    """The record that `record_to_json` was given."""
    values = {**found, **changes}
    for name in ("segments", "ambiguous"):
        if values.get(name) is not None:
            values[name] = tuple(Segment(**item) for item in values[name])
    if values.get("boxes") is not None:
        values["boxes"] = tuple(_tube(item) for item in values["boxes"])
    if isinstance(values.get("label"), list):
        values["label"] = tuple(values["label"])
    known = {field.name for field in dataclasses.fields(Record)}
    return Record(**{name: value for name, value in values.items() if name in known})


def _plain(item):
    if not dataclasses.is_dataclass(item):
        return item
    values = {f.name: getattr(item, f.name) for f in dataclasses.fields(item)}
    return {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in values.items()}


def _tube(item: dict) -> Tube:
    visible = item.get("visible")
    return Tube(
        label=item["label"],
        start=item["start"],
        boxes=np.asarray(item["boxes"], float).reshape(-1, 4),
        visible=None if visible is None else np.asarray(visible, float),
    )


def pack_index(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """A shard's index as a file."""
    out = io.BytesIO()
    text = json.dumps({"format": FORMAT, "version": VERSION, **meta}, sort_keys=True)
    np.savez(out, meta=np.frombuffer(text.encode(), np.uint8), **arrays)
    return out.getvalue()


def unpack_index(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `pack_index` was given."""
    try:
        arrays = read_npz(data, label=name)
        meta = json.loads(arrays.pop("meta").tobytes())
    except Exception as error:  # zip, NumPy and JSON have errors of their own each
        raise ShardError(f"A shard's index must be readable. Received: {name} ({error})") from error
    check_version(meta, name)
    return meta, arrays


def check_version(meta: dict[str, Any], name: str) -> None:
    """Refuse what another version of this package, or another program, has written."""
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ShardError(
            f"The shards must be written by `zoo prepare`. Received: {name} of another format"
        )
    if meta.get("version") != VERSION:
        raise ShardError(
            f"Shards must be of version {VERSION}; prepare the data set anew, or use the release "
            f"that wrote them. Received: {name} of version {meta.get('version')}"
        )


def checksum(data: bytes | memoryview) -> int:
    """CRC-32 of a row or an index."""
    return zlib.crc32(data)
