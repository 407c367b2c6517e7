"""`index.json`, that says which shards, streams and splits a folder holds."""

from __future__ import annotations

import json
import re
from typing import Any

from zoo.datasets.shards.format import MANIFEST, ShardError, check_version

# What the manifest holds at least, and what it says of each shard.
FACTS = {"streams": dict, "shards": list, "splits": dict, "left_out": dict}
SHARD_FACTS = {"file": str, "index_crc": int}
SHARD_FILE = re.compile(r"[^/\\\0]+\.tfrecord")


def read_manifest(storage, root: str) -> dict[str, Any]:
    """The checked content of a folder's `index.json`, read from its storage."""
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
    _check(found, f"{root}/{MANIFEST}")
    return found


def _check(found: dict[str, Any], name: str) -> None:
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
