from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from tests.datasets import trees
from tests.datasets.conftest import numbered_video
from tests.real_data import data_dir
from zoo.cli.check import check
from zoo.cli.messages import CommandError
from zoo.datasets import ucf11
from zoo.datasets.listing.check import check_dataset
from zoo.datasets.listing.check_videos import look
from zoo.datasets.listing.listing import Facts, Listing
from zoo.datasets.record import Record, Segment, Tube


def kinds(report, serious=True):
    return sorted((f.video, f.kind) for f in report.findings if f.serious == serious)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return numbered_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 40)


@pytest.fixture
def table(tmp_path, clip):
    """A table of twelve videos, most of which have a different problem."""
    whole = clip.read_bytes()
    files = {
        "good.mp4": whole,
        "b [1]#.mp4": whole,
        "empty.mp4": b"",
        "cut.mp4": whole[: len(whole) // 2],
        "text.mp4": b"this is no video" * 50,
        "late.mp4": whole,
        "unnamed.mp4": whole,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    numbered_video(tmp_path / "short.mp4", 5)
    for number in range(20):
        picture = np.zeros((32, 64), np.uint8)
        picture[4, 4] = 255
        for folder, size in (("maps", 20), ("few", 19), ("small", 20)):
            (tmp_path / folder).mkdir(exist_ok=True)
            if number < size:
                shown = picture[::2, ::2] if folder == "small" else picture
                cv2.imwrite(str(tmp_path / folder / f"{number}.png"), shown)
        for folder in ("frames", "torn"):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), np.stack([picture] * 3, -1))
    (tmp_path / "torn" / "7.png").write_bytes(b"\x89PNG")
    (tmp_path / "gaze.csv").write_text("viewer,frame,x,y\n1,0,3,3\n1,99,3,3\n")
    (tmp_path / "bad.csv").write_text("viewer,frame,x\n1,0,3\n")
    (tmp_path / "videos.csv").write_text(
        "video,name,label,split,gaze,start,end,fps\n"
        "good.mp4,good,a,train,gaze.csv,,,\n"
        "b [1]#.mp4,b [1]#,b,test,bad.csv,,,\n"
        "empty.mp4,empty,a,test,,,,\n"
        "cut.mp4,cut,a,test,,,,\n"
        "text.mp4,text,a,test,,,,\n"
        "late.mp4,late,a,test,,9,12,\n"
        "short.mp4,short,a,test,,,,\n"
        "frames,folder,a,test,maps,,,30000/1001\n"
        "frames,few maps,a,test,few,,,\n"
        "frames,small maps,a,test,small,,,25\n"
        "torn,torn,a,test,,,,25\n"
        "nowhere.mp4,nowhere,a,train,,,,\n"
    )
    return tmp_path / "videos.csv"


def test_every_kind_of_problem_is_named(table):
    report = check_dataset("csv", table, workers=2)
    assert kinds(report) == [
        ("b [1]#", "gaze"),
        ("cut", "unreadable"),
        ("empty", "unreadable"),
        ("few maps", "frames"),
        ("late", "unreadable"),
        ("short", "short"),
        ("small maps", "size"),
        ("text", "unreadable"),
        ("torn", "unreadable"),
    ]
    assert kinds(report, serious=False) == [("few maps", "frame rate"), ("good", "gaze")]
    told = {finding.video: finding.text for finding in report.findings}
    assert "0 bytes" in told["empty"] and "missing: ['y']" in told["b [1]#"]
    assert "7.png" in told["torn"] and "20 frames, 19 fixation maps" in told["few maps"]
    assert "video 64x32, fixation maps 32x16" in told["small maps"]
    assert "1 beyond the video's end" in told["good"]
    assert report.missing == [str(table.parent / "nowhere.mp4")]
    assert report.surplus == [str(table.parent / "unnamed.mp4")]
    assert {(c.split, c.named, c.there) for c in report.counts} == {
        ("train", 2, 1),
        ("test", 10, 10),
    }
    assert report.looked == 11 and not report.ok
    quick = check_dataset("csv", table, decode="first")
    assert ("short", "short") not in kinds(quick) and ("empty", "unreadable") in kinds(quick)
    assert ("small maps", "size") in kinds(quick)
    assert 'the gaze of 2 videos was not read; decode="all" does so' in quick.summary()
    assert "was not read" not in report.summary()
    assert [
        f for f in check_dataset("csv", table, decode="none").findings if f.kind != "size"
    ] == []
    assert check_dataset("csv", table, sample=3).looked == 3


def test_the_command(table, tmp_path, capsys, monkeypatch):
    with pytest.raises(SystemExit) as stop:
        check("csv", str(table), output=str(tmp_path / "out.json"))
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) < 24 and all(len(line) < 400 for line in out.splitlines())
    assert "Problems: " in out and "unreadable videos" in out and "nowhere.mp4" in out
    held = json.loads((tmp_path / "out.json").read_text())
    assert held["ok"] is False and len(held["findings"]) == 11 and held["looked"] == 11
    good = tmp_path / "good"
    (good / "a").mkdir(parents=True)
    shutil.copy(table.parent / "good.mp4", good / "a")
    monkeypatch.chdir(tmp_path)
    check("csv", str(good), progress=False)
    out = capsys.readouterr().out
    assert "No problems found." in out and "40 frames" in out
    assert json.loads((tmp_path / "csv_check.json").read_text())["ok"] is True


def test_counts_and_folds_match_the_published_ones(tmp_path):
    names = trees.ucf101_tree(tmp_path)
    report = check_dataset("ucf101", tmp_path, decode="none")
    assert report.ok and [c.named for c in report.counts] == [9537, 3783, 9586, 3734, 9624, 3696]
    (tmp_path / "UCF-101" / names[0]).unlink()
    trees.touch(tmp_path / "UCF-101" / "YoYo" / "v_new.avi")
    report = check_dataset("ucf101", tmp_path, decode="none")
    assert report.missing == [str(tmp_path / "UCF-101" / names[0])]
    assert report.surplus == [str(tmp_path / "UCF-101" / "YoYo" / "v_new.avi")]
    only = check_dataset("ucf101", tmp_path, decode="none", options={"fold": "2"})
    assert [c.named for c in only.counts] == [9586, 3734]
    report = check_dataset("ucf101", tmp_path, decode="first", sample=2)
    assert [f.kind for f in report.findings] == ["unreadable"] * 2
    (tmp_path / "ucfTrainTestlist" / "testlist02.txt").unlink()
    report = check_dataset("ucf101", tmp_path, decode="none")
    assert "testlist02.txt" in report.problems[0]


def test_counts_that_differ(tmp_path):
    trees.touch(tmp_path / "biking" / "v_biking_01" / "v_biking_01_01.avi")
    report = check_dataset("ucf11", tmp_path, decode="none")
    assert report.problems == ["1 counts differ from the published ones"]
    assert "1600" in report.summary() and "<-" in report.summary()
    assert any("our own split" in note for note in report.notes)
    assert len(
        check_dataset("ucf11", tmp_path, decode="none", options={"test_groups": "1,2"}).notes
    )
    assert ucf11.DESCRIPTION.counts == {"all": 1600}


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(ValueError, match="zoo list"):
        check_dataset("nothing", tmp_path)
    with pytest.raises(ValueError, match="zoo list"):
        check_dataset("video", tmp_path)
    with pytest.raises(FileNotFoundError, match="must exist"):
        check_dataset("ucf101", tmp_path / "none")
    with pytest.raises(ValueError, match=r"one of \['fold', 'lists'\].*colour"):
        check_dataset("ucf101", tmp_path, options={"colour": "red"})
    with pytest.raises(ValueError, match="type of its default"):
        check_dataset("ucf101", tmp_path, options={"fold": "two"})
    with pytest.raises(CommandError, match="NAME=VALUE"):
        check("ucf101", str(tmp_path), options=("fold",))


def test_published_facts_against_the_file(clip):
    tubes = (Tube(0, 38, np.float32([[0, 0, 5, 5]] * 3)), Tube(0, 0, np.float32([[60, 0, 5, 5]])))
    record = Record("x", str(clip), boxes=tubes, segments=(Segment(0, 0.0, 9.0),))
    facts = {"x": Facts(frames=50, height=32, width=65, seconds=9.0)}
    looked = look(record, Listing("x", [record], facts=facts))
    assert sorted(f.kind for f in looked.findings if f.serious) == [
        "boxes",
        "boxes",
        "frames",
        "frames",
        "segments",
        "size",
    ]
    assert looked.frames == 40
    near = look(Record("x", str(clip)), Listing("x", [], facts={"x": Facts(41)}, size=(32, 64)))
    assert [f.serious for f in near.findings] == [False]


def test_headers_that_miscount_in_real_clips():
    path = next(data_dir("clips", "hmdb51").glob("RATRACE*"))
    looked = look(Record("x", str(path)), Listing("x", []))
    assert looked.frames == 72
    assert [(f.kind, f.serious) for f in looked.findings] == [("header", False)]
    assert "73 frames, 72 decode" in looked.findings[0].text
    sports = check_dataset("ucf_sports", data_dir("gaze", "ucf_sports"), progress=False)
    assert sports.problems == ["2 counts differ from the published ones"] and sports.frames == 54
