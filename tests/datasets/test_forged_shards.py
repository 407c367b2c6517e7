"""Shards with altered lists are rejected with one line, and no file outside them is read."""

from __future__ import annotations

import http.server
import io
import json
import struct
import threading

import numpy as np
import pytest

from tests.datasets.conftest import numbered_video
from zoo.datasets.record import Record
from zoo.datasets.shards.crc32c import masked_crc32c
from zoo.datasets.shards.format import checksum, pack_index, unpack_index
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import ShardError, ShardSet
from zoo.datasets.shards.streams import FrameStream
from zoo.datasets.shards.tfrecord import frame_record, read_records


@pytest.fixture
def root(tmp_path):
    numbered_video(tmp_path / "a.mp4", 5)
    record = Record("a", str(tmp_path / "a.mp4"), "train", 0)
    prepare([record], tmp_path / "out", [FrameStream((16, 64))], workers=1)
    return tmp_path / "out"


def alter(root, change) -> None:
    path = root / "index.json"
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


@pytest.mark.parametrize("file", ["../../secret.tfrecord", "/etc/passwd", "a/b.tfrecord", "x", 3])
def test_a_shard_of_another_folder(root, file):
    alter(root, lambda held: held["shards"][0].update(file=file))
    with pytest.raises(ShardError, match=r"Received: .*index\.json"):
        ShardSet(root)


@pytest.mark.parametrize("key", ["streams", "shards", "splits", "left_out"])
def test_an_index_without_its_keys(root, key):
    alter(root, lambda held: held.pop(key))
    with pytest.raises(ShardError, match=f"without .*{key}"):
        ShardSet(root)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe{}", b"[]", b'{"format": 1}'])
def test_an_index_with_another_structure(root, content):
    (root / "index.json").write_bytes(content)
    with pytest.raises(ShardError, match=r"index\.json"):
        ShardSet(root)


def alter_index(root, change) -> None:
    """Alter a shard's own index, and the checksum with it."""
    path = next(root.glob("*.npz"))
    meta, arrays = unpack_index(path.read_bytes(), "x")
    change(meta, arrays)
    data = pack_index(meta, arrays)
    path.write_bytes(data)
    alter(root, lambda held: held["shards"][0].update(index_crc=checksum(data)))


def test_rows_beyond_the_shard(root):
    def change(meta, arrays):
        arrays["rgb_offset"] = arrays["rgb_offset"].astype(np.int64) + (1 << 42)

    alter_index(root, change)
    with pytest.raises(ShardError, match="lie in its shard"):
        ShardSet(root)


@pytest.mark.parametrize("change", [lambda m, a: m.pop("videos"), lambda m, a: a.pop("rgb_crc")])
def test_an_incomplete_shard_index(root, change):
    alter_index(root, change)
    with pytest.raises(ShardError, match="as `zoo prepare` wrote it"):
        ShardSet(root)


def test_a_forged_record_length_allocates_nothing():
    asked = []

    class File(io.BytesIO):
        def read(self, length=-1):
            asked.append(length)
            return super().read(length)

    head = struct.pack("<Q", 1 << 42)
    forged = head + struct.pack("<I", masked_crc32c(head)) + b"data"
    with pytest.raises(ValueError, match=r"a\.tfrecord, record 0, cut off"):
        list(read_records(File(forged), "a.tfrecord"))
    assert max(asked) <= 1 << 24
    large = frame_record(bytes((1 << 24) + 5))  # more than is read at once
    assert [len(data) for data in read_records(io.BytesIO(large))] == [(1 << 24) + 5]


def test_a_web_server_that_stops_in_the_middle(root):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = (root / self.path.strip("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(OSError, match=r"index\.json must arrive completely"):
                ShardSet(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
