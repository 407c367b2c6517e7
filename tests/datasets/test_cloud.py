"""Shards on S3 and a web server through tensorflow-io; run if it is installed (`make tfio`).

The S3 server is moto's, on this machine.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.datasets.conftest import served
from zoo.datasets import moving_targets
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import ShardError, ShardSet, load
from zoo.datasets.shards.streams import FrameStream

pytest.importorskip("tensorflow_io")
boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    root = tmp_path_factory.mktemp("local")
    records = moving_targets.make(root / "data", num_videos=4, frames=20, size=(48, 64), viewers=2)
    prepare(records, root / "shards", [FrameStream((32, 32))], per_shard=2, chunk=8, workers=1)
    return root / "shards"


@pytest.fixture(scope="module")
def s3(local):
    """URL of a bucket with the shards, and a client for it."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    names = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "S3_ENDPOINT": f"http://{host}:{port}",
    }
    for name, value in names.items():
        patch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket="videos")
    for path in local.iterdir():
        client.put_object(Bucket="videos", Key=f"shards/{path.name}", Body=path.read_bytes())
    yield "s3://videos/shards", client
    server.stop()
    patch.undo()


@pytest.fixture(scope="module")
def web(local):
    with served(local) as address:
        yield address


@pytest.mark.parametrize("where", ["s3", "web"])
def test_any_window_reads_the_same_as_from_disk(where, local, s3, web):
    root = s3[0] if where == "s3" else web
    here, there = ShardSet(local), ShardSet(root)
    assert there.verify() == here.verify() == 4 * 3
    for record in load(root):
        video = there[record.name]
        wanted = here[record.name].stream("rgb")
        np.testing.assert_array_equal(video.stream("rgb")[5:15], wanted[5:15])
        np.testing.assert_array_equal(video.stream("rgb")[[19, 0]], wanted[[19, 0]])
        assert len(read_fixations(record)) == len(here[record.name].fixations()) > 0


@pytest.mark.parametrize("where", ["s3", "web"])
def test_tf_data_reads_it(where, local, s3, web):
    from zoo.datasets.shards.examples import shard_examples

    root = s3[0] if where == "s3" else web
    names = [shard["file"] for shard in ShardSet(local).manifest["shards"]]
    wanted = list(shard_examples([str(local / name) for name in names]))
    found = list(shard_examples([f"{root}/{name}" for name in names]))
    assert len(found) == len(wanted) == 12
    for one, other in zip(found, wanted):
        assert one["video"] == other["video"]
        assert one["rgb"].numpy().tolist() == other["rgb"].numpy().tolist()


def test_damaged_and_missing_shards_are_named(local, s3):
    _, client = s3
    name = sorted(path.name for path in local.glob("*.tfrecord"))[0]
    for path in local.iterdir():
        body = path.read_bytes()
        body = body[: len(body) // 2] if path.name == name else body
        client.put_object(Bucket="videos", Key=f"cut/{path.name}", Body=body)
    with pytest.raises(ShardError, match=f"s3://videos/cut/{name}"):
        ShardSet("s3://videos/cut")
    with pytest.raises(OSError, match="s3://videos/nothing"):
        ShardSet("s3://videos/nothing")


def test_fsspec_is_used_without_tensorflow_io(local, monkeypatch):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    for path in local.iterdir():
        memory.pipe(f"/held/{path.name}", path.read_bytes())
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)  # its import fails
    there, here = ShardSet("memory://held"), ShardSet(local)
    assert there.verify() == here.verify()
    with pytest.raises(OSError, match="memory://nothing"):
        ShardSet("memory://nothing")
