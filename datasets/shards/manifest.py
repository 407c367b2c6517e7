"""The manifest of a folder of shards, `index.json`, which lists shards, streams and splits."""

from __future__ import annotations

import json
import re
from typing import Any

from zoo.datasets.shards.format import MANIFEST, ShardError, check_version

# Required entries of the manifest, and of each shard in it.
FACTS = {"streams": dict, "shards": list, "splits": dict, "left_out": dict}
SHARD_FACTS = {"file": str, "index_crc": int}
SHARD_FILE = re.compile(r"[^/\\\0]+\.tfrecord")


def read_manifest(storage, root: str) -> dict[str, Any]:
    """Read and check the `index.json` of a folder.

    Raises:
        ShardError: The file is missing or damaged, or was written by another version or program.
    """
    try:
        found = json.loads(storage.read(MANIFEST))
    except FileNotFoundError as error:
        raise ShardError(
            f"A folder of shards must hold {MANIFEST}, which `zoo prepare` writes last; run the "
            f"same command again if it was interrupted. Received: {root} without {MANIFEST}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ShardError(
            f"{MANIFEST} must be complete. Received: {root}/{MANIFEST} ({error})"
        ) from error
    check_version(found, f"{root}/{MANIFEST}")
    _check(found, f"{root}/{MANIFEST}")
    return found


def _check(found: dict[str, Any], name: str) -> None:
    """Raise an error if entries are missing, or a file is not in the folder itself."""
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
                f"Every stream must have a dtype and a shape. Received: {stream!r} in {name}"
            )
