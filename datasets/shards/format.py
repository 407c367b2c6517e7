"""The format of a folder of shards.

A folder has an `index.json` (a description of the streams, and the list of shards) and, for each
shard, a TFRecord file with an index (`.npz`) beside it. Each record of the TFRecord file is a chunk
of a video's frames, a `tf.train.Example`:

    video           name of the video
    record          everything known about it (JSON)
    chunk           number of the chunk, [k]
    frames          first frame of the chunk, frame after its last, number of frames of the video
    rgb             JPEG pictures, one per frame
    features        float16, one row for each clip (or frame) that begins in the chunk
    flow            float16 (height, width, 2), one per frame, zero for the video's first frame
    fixations       float64 (n, 3) as x, y and viewer, one array per frame
    <stream>_first  number of the stream's first row in the chunk

If the description of a stream has `compression`, the bytes of each row are compressed: "zlib",
with the high bytes of the float16 numbers separated from the low bytes. Only streams that were
asked for are present. The index holds the position, length and CRC-32 of every row in the TFRecord
file, so that any row can be read on its own and checked.
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
SEPARATOR = "::"  # between the folder and the video's name, in a record's `video`


class ShardError(ValueError):
    """A shard is missing, damaged or does not match its index; the message names it."""


def shard_name(split: str | None, number: int, count: int) -> str:
    """File name of a shard."""
    return f"{split or 'all'}-{number:05d}-of-{count:05d}.tfrecord"


def index_name(shard: str) -> str:
    """File name of a shard's index."""
    return shard.removesuffix(".tfrecord") + ".npz"


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as JSON, without the paths of gaze and saliency maps."""
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
    """The inverse of `record_to_json`, with changes."""
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
    """The bytes of a shard's index file."""
    out = io.BytesIO()
    text = json.dumps({"format": FORMAT, "version": VERSION, **meta}, sort_keys=True)
    np.savez(out, meta=np.frombuffer(text.encode(), np.uint8), **arrays)
    return out.getvalue()


def unpack_index(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse of `pack_index`."""
    try:
        arrays = read_npz(data, label=name)
        meta = json.loads(arrays.pop("meta").tobytes())
    except Exception as error:  # a damaged file can raise any error of zipfile, NumPy or JSON
        raise ShardError(f"A shard's index must be readable. Received: {name} ({error})") from error
    check_version(meta, name)
    return meta, arrays


def check_version(meta: dict[str, Any], name: str) -> None:
    """Raise an error for files of another format version or of another program."""
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise ShardError(
            f"Shards must have been written by `zoo prepare`. Received: {name} in another format"
        )
    if meta.get("version") != VERSION:
        raise ShardError(
            f"Shards must have format version {VERSION}; prepare the data set anew, or use the "
            f"release that wrote them. Received: {name} of version {meta.get('version')}"
        )


def checksum(data: bytes | memoryview) -> int:
    """CRC-32 of a row or an index."""
    return zlib.crc32(data)
