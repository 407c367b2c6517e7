from __future__ import annotations

import builtins
import dataclasses
import errno
import json
import os
import pickle

import cv2
import numpy as np
import pytest

from tests.datasets.conftest import number_of, numbered_video, served
from zoo.datasets.gaze.csv_format import CsvFormat
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import GazeSource, Record, Segment, Tube
from zoo.datasets.shards import writer as shard_writer
from zoo.datasets.shards.format import record_from_json, record_to_json
from zoo.datasets.shards.prepare import local_runner, plan, prepare
from zoo.datasets.shards.reading import ShardError, ShardSet, load
from zoo.datasets.shards.streams import FlowStream, FrameStream, jpeg_options
from zoo.datasets.video.reading import VideoError, open_video

SIZE = (16, 64)
STREAMS = (FrameStream(SIZE, quality=100), FlowStream((16, 32), "dis:ultrafast"))
OPTIONS = {"per_shard": 2, "chunk": 16, "workers": 1}
COUNTS = (40, 16, 21)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three videos whose frames and gaze encode the frame number; two are for training."""
    root = tmp_path_factory.mktemp("source")
    records = []
    for at, count in enumerate(COUNTS):
        numbered_video(root / f"{at}.mp4", count)
        rows = "".join(f"{v},{f},{f}.25,{v}\n" for f in range(count) for v in range(1, 2 + f % 2))
        (root / f"{at}.csv").write_text("viewer,frame,x,y\n" + rows)
        gaze = GazeSource((str(root / f"{at}.csv"),)) if at < 2 else None
        video, split = str(root / f"{at}.mp4"), ("train", "test", "train")[at]
        records.append(Record(f"v{at} [#]", video, split, (at, 1) if at else at, gaze))
    return records


@pytest.fixture(scope="module")
def prepared(source, tmp_path_factory):
    root = tmp_path_factory.mktemp("prepared")
    return root, prepare(source, root, STREAMS, dataset="mine", classes=("a", "b"), **OPTIONS)


def files(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_everything_is_read_back(source, prepared):
    root, manifest = prepared
    assert manifest["splits"] == {
        "test": {"videos": 1, "frames": 16},
        "train": {"videos": 2, "frames": 61},
    }
    assert not [name for name in files(root) if name.startswith(".")]
    shards = ShardSet(root)
    assert shards.verify() == 3 + 1 + 2  # chunks of 16 frames
    held = {record.name: record for record in load(root)}
    assert [record.name for record in load(root, "test")] == ["v1 [#]"]
    for record, count in zip(source, COUNTS):
        video, again = shards[record.name], held[record.name]
        rgb = video.stream("rgb")
        assert rgb.shape == (count, *SIZE, 3) and len(rgb) == video.num_frames == count
        assert [number_of(frame) for frame in rgb] == list(range(count))
        assert [number_of(frame) for frame in rgb[[9, 2, 2, -1]]] == [9, 2, 2, count - 1]
        np.testing.assert_array_equal(rgb[3:7, :, ::2], np.asarray(rgb)[3:7, :, ::2])
        assert (again.label, again.split) == (record.label, record.split)
        opened = open_video(again.video)
        assert (opened.num_frames, opened.fps) == (count, 25.0)
        assert number_of(opened.read([7])[0]) == 7
        if record.gaze is None:
            assert again.gaze is None
            continue
        wanted, found = read_fixations(record), read_fixations(again)
        for name in ("frame", "x", "y", "viewer"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_a_frame_is_the_jpeg_of_the_video_frame(source, prepared):
    frame = open_video(source[0].video).read([11], SIZE)[0]
    ok, data = cv2.imencode(".jpg", frame[..., ::-1], jpeg_options(100))
    assert ok
    wanted = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(ShardSet(prepared[0])[source[0].name].stream("rgb")[11], wanted)


def test_flow_is_that_of_the_flow_module(source, prepared):
    from zoo.datasets.video.flow import dis_flow, video_flow

    frames = open_video(source[0].video).frames((16, 32))
    wanted = np.stack(
        list(video_flow(frames, method=dis_flow("ultrafast"), size=(16, 32), output_size=None))
    )
    flow = ShardSet(prepared[0])[source[0].name].stream("flow")
    assert flow.shape == (40, 16, 32, 2) and flow.dtype == np.float16
    assert not flow[0].any() and flow[1:].any()
    np.testing.assert_array_equal(flow[1:], wanted.astype(np.float16))


@pytest.mark.slow
def test_the_same_files_from_several_processes(source, prepared, tmp_path):
    other = {**OPTIONS, "workers": 2}
    prepare(source, tmp_path, STREAMS, dataset="mine", classes=("a", "b"), **other)
    assert files(tmp_path) == files(prepared[0])


def test_the_same_files_after_an_interruption(source, prepared, tmp_path):
    prepare(source, tmp_path, STREAMS, dataset="mine", classes=("a", "b"), **OPTIONS)
    wanted = files(prepared[0])
    assert files(tmp_path) == wanted
    kept = (tmp_path / "test-00000-of-00001.tfrecord").stat().st_mtime_ns
    (tmp_path / "train-00000-of-00001.npz").unlink()  # killed between the shard and its index
    (tmp_path / ".train-00000-of-00001.1.part.tfrecord").write_bytes(b"half")
    prepare(source, tmp_path, STREAMS, dataset="mine", classes=("a", "b"), **OPTIONS)
    assert files(tmp_path) == wanted
    assert (tmp_path / "test-00000-of-00001.tfrecord").stat().st_mtime_ns == kept


def test_a_video_that_has_changed_is_written_anew(source, tmp_path):
    numbered_video(tmp_path / "a.mp4", 18)
    records = [dataclasses.replace(source[2], video=str(tmp_path / "a.mp4"))]
    prepare(records, tmp_path / "out", STREAMS[:1], **OPTIONS)
    numbered_video(tmp_path / "a.mp4", 22)
    prepare(records, tmp_path / "out", STREAMS[:1], **OPTIONS)
    assert ShardSet(tmp_path / "out")[records[0].name].num_frames == 22
    with pytest.raises(ValueError, match=r"other settings.*chunk=8 \(was 16\)"):
        prepare(records, tmp_path / "out", STREAMS[:1], per_shard=2, chunk=8)


def test_changed_annotations_are_written_anew(source, tmp_path):
    record = dataclasses.replace(source[0], segments=(Segment(0, 0.4, 1.2),))

    def written(**changes):
        prepare([dataclasses.replace(record, **changes)], tmp_path, STREAMS[:1], **OPTIONS)
        return ShardSet(tmp_path)[record.name]

    assert written().record.label == 0
    assert written(label=5).record.label == 5
    part = written(start=0.8, end=1.6)
    assert part.num_frames == 20 and part.record.segments == (Segment(0, 0.0, pytest.approx(0.4)),)
    upside_down = dataclasses.replace(record.gaze, csv=CsvFormat(y_up=True))
    assert written(gaze=upside_down).fixations().y[0] != written().fixations().y[0]
    path = next(tmp_path.glob("*.tfrecord"))
    before = path.stat().st_mtime_ns
    written()
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("split", ["../escaped/x", ".hidden", "a/b"])
def test_a_split_names_files(source, tmp_path, split):
    record = dataclasses.replace(source[0], split=split)
    with pytest.raises(ValueError, match="part of the shards' file names"):
        prepare([record], tmp_path / "out", STREAMS[:1], **OPTIONS)
    assert not list(tmp_path.rglob("*.tfrecord"))


def test_bad_videos_are_named_and_not_silently_dropped(source, tmp_path):
    (tmp_path / "empty.mp4").touch()
    whole = (numbered_video(tmp_path / "whole.mp4", 60)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 4 // 5])
    bad = [Record(name, str(tmp_path / f"{name}.mp4"), "train") for name in ("empty", "cut")]
    everything = [*source, *bad]
    with pytest.raises(VideoError, match=r"2 of 5 cannot be read: cut: .*; empty: .*0 bytes"):
        prepare(everything, tmp_path / "out", STREAMS[:1], **OPTIONS)
    with pytest.raises(ShardError, match=r"must hold index\.json"):
        ShardSet(tmp_path / "out")
    (tmp_path / "empty.mp4").write_bytes(whole)  # one is repaired, the other left out
    options = {**OPTIONS, "skip_bad": True}
    manifest = prepare(everything, tmp_path / "out", STREAMS[:1], **options)
    assert list(manifest["left_out"]) == ["cut"]
    assert manifest["splits"]["train"] == {"videos": 3, "frames": 40 + 21 + 60}
    with pytest.warns(UserWarning, match=r"1 videos could not be read.*cut"):
        assert len(load(tmp_path / "out")) == 4
    ShardSet(tmp_path / "out").verify()
    with pytest.raises(VideoError, match="1 of 5"):  # not counted as complete without skip_bad
        prepare(everything, tmp_path / "out", STREAMS[:1], **OPTIONS)


def test_a_full_disk_leaves_no_partial_file_and_the_run_can_continue(source, tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file, self.room = file, 3000

        def write(self, data):
            self.room -= len(data)
            if self.room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data)

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

    def full(path, mode="r", *rest):
        file = builtins.open(path, mode, *rest)  # noqa: SIM115
        return Full(file) if "train" in str(path) else file

    with monkeypatch.context() as patch:
        patch.setattr(shard_writer, "open", full, raising=False)
        with pytest.raises(OSError, match=r"disk is full.*train-00000-of-00001\.tfrecord") as told:
            prepare(source, tmp_path, STREAMS[:1], **OPTIONS)
    assert told.value.errno == errno.ENOSPC
    names = sorted(files(tmp_path))
    assert names == ["settings.json", "test-00000-of-00001.npz", "test-00000-of-00001.tfrecord"]
    prepare(source, tmp_path, STREAMS[:1], **OPTIONS)
    assert ShardSet(tmp_path).verify() == 6


@pytest.fixture
def damaged(prepared, tmp_path):
    for name, data in files(prepared[0]).items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_truncated_shard(damaged):
    shard = damaged / "train-00000-of-00001.tfrecord"
    whole = ShardSet(damaged)
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) // 2])
    with pytest.raises(
        ShardError, match=rf"train-.* of {len(data) // 2} bytes, expected {len(data)}"
    ):
        ShardSet(damaged)
    with pytest.raises(ShardError, match=r"train-00000-of-00001\.tfrecord, record \d, cut off"):
        whole.verify()
    last = list(whole)[-1]
    with pytest.raises(ShardError, match="damaged or cut off"):
        last.stream("rgb")[:]


def test_a_flipped_bit_is_detected_on_reading(damaged):
    shards = ShardSet(damaged)
    video = shards["v0 [#]"]
    place = int(video.tables["rgb"][0][5]) + 40
    data = bytearray((damaged / video.file).read_bytes())
    data[place] ^= 1
    (damaged / video.file).write_bytes(bytes(data))
    assert len(video.stream("rgb")[:5]) == 5
    with pytest.raises(ShardError, match=r"rgb 5 of 'v0 \[#\]'"):
        video.stream("rgb")[4:7]
    with pytest.raises(ShardError, match="checksum"):
        shards.verify()


@pytest.mark.parametrize("where", ["index.json", "train-00000-of-00001.npz"])
def test_another_version_is_refused(damaged, where):
    manifest = json.loads((damaged / "index.json").read_text())
    if where == "index.json":
        manifest["version"] = 2
    else:
        from zoo.datasets.shards import format as form

        meta, arrays = form.unpack_index((damaged / where).read_bytes(), where)
        data = form.pack_index({**meta, "version": 2}, arrays).replace(b'"version": 1', b"")
        (damaged / where).write_bytes(data)
        for shard in manifest["shards"]:
            if shard["file"].startswith("train"):
                shard["index_crc"] = form.checksum(data)
    (damaged / "index.json").write_text(json.dumps(manifest))
    with pytest.raises(ShardError, match=rf"version 1; .*{where} of version 2"):
        ShardSet(damaged)


def test_mismatched_indices_are_rejected(damaged):
    index = damaged / "train-00000-of-00001.npz"
    index.write_bytes((damaged / "test-00000-of-00001.npz").read_bytes())
    with pytest.raises(ShardError, match="another checksum"):
        ShardSet(damaged)
    (damaged / "index.json").write_text('{"format": "something else"}')
    with pytest.raises(ShardError, match="another format"):
        ShardSet(damaged)
    (damaged / "index.json").write_text("{")
    with pytest.raises(ShardError, match="must be complete"):
        ShardSet(damaged)


def test_a_record_keeps_its_annotation():
    boxes = (Tube(2, 3, np.array([[1.0, 2, 3, 4]]), np.array([0.5])),)
    record = Record("a", "a.mp4", "train", (1, 2), segments=(Segment(1, 0.5, 2.0),), boxes=boxes)
    again = record_from_json(json.loads(json.dumps(record_to_json(record))))
    assert again == record
    np.testing.assert_array_equal(again.boxes[0].boxes, boxes[0].boxes)
    np.testing.assert_array_equal(again.boxes[0].visible, boxes[0].visible)


def test_over_http(prepared, source):
    with served(prepared[0]) as root:
        shards = ShardSet(root)
        assert [number_of(f) for f in shards["v0 [#]"].stream("rgb")[20:23]] == [20, 21, 22]
        assert shards.verify() == 6
        assert {record.name for record in load(root)} == {record.name for record in source}
        assert len(read_fixations(load(root, "test")[0])) == 24
        with pytest.raises(OSError, match="nowhere"):
            ShardSet(f"{root}/nowhere")


def test_shards_travel_to_other_processes(prepared):
    again = pickle.loads(pickle.dumps(ShardSet(prepared[0])))
    assert number_of(again["v1 [#]"].stream("rgb")[5]) == 5


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"records": []}, "at least one video"),
        ({"streams": []}, "frames, features and flow"),
        ({"per_shard": 0}, "per_shard"),
    ],
)
def test_wrong_arguments(source, tmp_path, wrong, told):
    given = {"records": source, "output": tmp_path, "streams": STREAMS, **wrong}
    with pytest.raises(ValueError, match=told):
        plan(**given)


def test_names_must_be_unique(source, tmp_path):
    with pytest.raises(ValueError, match=r"unique.*v0"):
        plan([source[0], source[0]], tmp_path, STREAMS)
    assert [t.file for t in plan(source, tmp_path, STREAMS, per_shard=1)] == [
        "test-00000-of-00001.tfrecord",
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]
    assert list(local_runner(1)([])) == []


def test_a_shard_is_synced_to_disk_before_it_is_renamed(source, tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append(("sync", os.fstat(handle).st_size))
        sync(handle)

    def replaced(first, second):
        done.append((os.fspath(second).rsplit(".", 1)[1], os.path.getsize(first)))
        replace(first, second)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    prepare(source[1:2], tmp_path, STREAMS, **OPTIONS)
    kinds = [kind for kind, _ in done]
    shard = kinds.index("tfrecord")
    assert kinds[shard - 1] == "sync" and done[shard - 1][1] == done[shard][1] > 0
