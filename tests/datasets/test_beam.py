"""Shards written by Apache Beam; run if the extra `beam` is installed (`make beam`)."""

from __future__ import annotations

import pytest

from zoo.datasets import moving_targets
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import ShardSet
from zoo.datasets.shards.streams import FlowStream, FrameStream
from zoo.datasets.video.reading import VideoError

pytest.importorskip("apache_beam")

STREAMS = (FrameStream((32, 32)), FlowStream((32, 32), "dis:ultrafast"))


def files(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_shards_equal_those_of_local_processes(tmp_path):
    from zoo.datasets.shards.beam_runner import beam_runner

    records = moving_targets.make(
        tmp_path / "data", num_videos=5, frames=20, size=(48, 64), viewers=2
    )
    options = {"per_shard": 2, "chunk": 8}
    prepare(records, tmp_path / "local", STREAMS, workers=1, **options)
    direct = beam_runner(["--runner=DirectRunner"])
    prepare(records, tmp_path / "beam", STREAMS, runner=direct, **options)
    assert files(tmp_path / "beam") == files(tmp_path / "local")
    assert ShardSet(tmp_path / "beam").verify() == 5 * 3
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "beam").glob("*.tfrecord")}
    lost = next((tmp_path / "beam").glob("*.tfrecord"))
    lost.unlink()
    prepare(records, tmp_path / "beam", STREAMS, runner=direct, **options)
    assert files(tmp_path / "beam") == files(tmp_path / "local")
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "beam").glob("*.tfrecord")}
    assert {name for name in kept if kept[name] != again[name]} == {lost.name}


def test_an_unreadable_video_is_named(tmp_path):
    from zoo.datasets.record import Record
    from zoo.datasets.shards.beam_runner import beam_runner

    (tmp_path / "empty.mp4").touch()
    record = Record("empty", str(tmp_path / "empty.mp4"))
    with pytest.raises(VideoError, match="1 of 1 cannot be read: empty"):
        prepare([record], tmp_path / "out", STREAMS, runner=beam_runner())


def test_the_command(tmp_path):
    from zoo.cli.main import main

    moving_targets.make(tmp_path / "data", num_videos=3, frames=18, size=(48, 64), viewers=2)
    given = ["prepare", "moving_targets", str(tmp_path / "data"), str(tmp_path / "out"), "--frames"]
    assert main([*given, "--runner", "beam", "--beam-options=--runner=DirectRunner"]) == 0
    assert len(ShardSet(tmp_path / "out")) == 3
