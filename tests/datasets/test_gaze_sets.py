from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io

from tests.datasets import trees
from tests.datasets.conftest import numbered_video
from tests.real_data import data_dir
from zoo.datasets import coutrot, dhf1k, diem, hollywood2, hollywood2_images, ledov
from zoo.datasets import ucf_sports_videos as videos
from zoo.datasets.gaze.reading import GazeWarning, read_fixations
from zoo.datasets.listing.listing import DatasetWarning, Facts
from zoo.datasets.record import GazeSource, Record

MATHE = [  # microseconds, two columns that no reader uses, screen x and y, event
    "0 9 9 640.0 512.0 F",
    "2000 9 9 320.0 512.0 S",
    "4000 9 9 640.0 512.0 B",
    "6000 9 9 -1 512.0 F",
    "8000 9 9 640.0 100.0 F",
    "41000 9 9 1.0 512.0 F",
]


def mathe_tree(folder, clips):
    for clip in clips:
        for viewer in (1, 16):
            trees.write(folder / "samples" / f"{viewer:03d}_{clip}.avi.txt", MATHE)
    trees.write(folder / "geometry.txt", ["47.5 29.5 60.0 1280 1024"])
    trees.write(folder / "resolution.txt", [f"{clip}.avi 640 272 100" for clip in clips], "\r\n")


def read(record, frames=50, width=640, height=272, fps=25.0):
    with pytest.warns(GazeWarning):
        return read_fixations(
            record,
            num_frames=frames,
            width=width,
            height=height,
            frame_times=np.arange(frames) / fps,
        )


def test_gaze_of_mathe_and_sminchisescu(tmp_path):
    root = trees.hollywood2_tree(tmp_path)
    clips = [f"actionclip{s}{n:05d}" for s, c in (("train", 823), ("test", 884)) for n in (1, c)]
    mathe_tree(root / "gaze_hollywood2", clips)
    records = {r.name: r for r in hollywood2.load(tmp_path)}
    assert sum(r.gaze is not None for r in records.values()) == 4
    fixations = read(records["actioncliptrain00001"])
    # The published mapping: a = W/SW, b = (SH - H/a)/2, x = a xs, y = a (ys - b).
    a = 640 / 1280
    b = (1024 - 272 / a) / 2
    wanted = [(a * x, a * (y - b)) for x, y in ((640, 512), (320, 512), (1, 512))]
    for viewer in (1, 16):
        one = fixations.of_viewers([f"{viewer:03d}"])
        np.testing.assert_allclose(np.stack([one.x * 640, one.y * 272], 1), wanted)
        assert one.frame.tolist() == [0, 0, 1]
    assert fixations.issues["outside the frame"] == 2  # y = 100 is above the picture
    assert fixations.issues["lost by the tracker"] == 2
    found = hollywood2.listing(tmp_path, events=("F",))
    assert found.facts["actioncliptest00884"] == Facts(height=272, width=640)
    assert found.notes[0].startswith("1703 clips without gaze")
    assert len(read(found.records[0]).of_viewers(["001"])) == 2
    mathe_tree(root / "gaze_hollywood2", ["actionclipnone00001"])
    with pytest.raises(FileNotFoundError, match=r"1 annotations without videos.*actionclipnone"):
        hollywood2.load(tmp_path)
    trees.write(root / "gaze_hollywood2" / "geometry.txt", ["1 2 wide"])
    with pytest.raises(ValueError, match="five numbers"):
        hollywood2.load(tmp_path)


def test_the_real_recording_of_vig_dorr_and_cox(tmp_path):
    folder = data_dir("gaze", "hollywood2_viewer")
    trees.hollywood2_tree(tmp_path)
    found = hollywood2.listing(tmp_path, gaze=folder)
    (record,) = [r for r in found.records if r.gaze is not None]
    assert record.name == "actioncliptest00001"
    times = np.arange(215) / 25
    fixations = read_fixations(
        record, num_frames=215, width=640, height=480, frame_times=times, warn=False
    )
    assert fixations.viewer_names == ("1",)
    assert fixations.issues["lost by the tracker"] == 325
    assert (
        len(fixations)
        + sum(count for why, count in fixations.issues.items() if not why.startswith("frames"))
        == 8266 + 325
    )
    assert (fixations.x[0], fixations.y[0]) == (330.154 / 576, 126.901 / 304)
    assert fixations.per_frame[:4].tolist() == [40, 40, 40, 40]  # 1 kHz at 25 frames a second


@pytest.mark.parametrize(
    "text, message",
    [
        ("# only this\n", "gaze WIDTH HEIGHT"),
        ("gaze 576\n0 1 1 1\n", "line 1"),
        ("gaze 576 304\n0 1 1\n", "line 2"),
        ("gaze 576 304\n0 1 here 1\n", "line 2"),
    ],
)
def test_bad_recordings_are_named(tmp_path, text, message):
    path = tmp_path / "s1_clip.txt"
    path.write_text(text)
    record = Record("clip", "", gaze=GazeSource((str(path),), format="vig"))
    with pytest.raises(ValueError, match=message):
        read_fixations(record, num_frames=2, width=4, height=4, frame_times=np.arange(2.0))


def test_hollywood2_as_frames(tmp_path):
    shots = [("training", f"actioncliptrain{n:05d}_{s}") for n in range(1, 12) for s in (1, 2)]
    shots += [("testing", f"actioncliptest{n:05d}_1") for n in range(1, 4)]
    for split, shot in shots:
        for part in ("images", "fixation"):
            (tmp_path / split / shot / part).mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"22 videos, but 2699.*3 .* 3558"):
        hollywood2_images.load(tmp_path)
    found = hollywood2_images.listing(tmp_path)
    assert "11 training clips (published 747) and 3 test clips" in found.notes[0]
    sets = trees.hollywood2_tree(tmp_path / "actions") / "ClipSets"
    with pytest.warns(DatasetWarning):
        records = hollywood2_images.load(tmp_path, clip_sets=sets, partial=True)
    assert len(records) == 25 and found.records[0].label is None
    assert {r.name: r.label for r in records}["actioncliptrain00010_2"] == (0, 10)
    (tmp_path / "training" / "actioncliptrain00009_1" / "images").rmdir()
    with pytest.warns(DatasetWarning) as caught:
        assert len(hollywood2_images.load(tmp_path, partial=True)) == 24
    assert any("1 missing" in str(w.message) and "00009_1/images" in str(w.message) for w in caught)


def test_ucf_sports_with_recordings(tmp_path):
    sizes = dict(zip(videos.CLASSES, (14, 18, 20, 6, 12, 13, 12, 20, 13, 22)))
    folders = {"Golf-Swing": "Golf-Swing-Back", "Run": "Run-Side", "Diving": "Diving-Side"}
    clips = []
    for label, count in sizes.items():
        name = folders.get(label, label)
        for number in range(1, count + 1):
            clips.append(f"{name}_{number:03d}")
            trees.touch(tmp_path / "ucf action" / name / f"{number:03d}" / f"{number}-[a]#.avi")
    mathe_tree(tmp_path / "gaze_ucfsa", clips)
    train, test = videos.load(tmp_path, "train"), videos.load(tmp_path, "test")
    assert (len(train), len(test)) == (103, 47)
    assert all(r.gaze is not None for r in (*train, *test))
    assert test[0].name == "Diving-Side-001" and videos.CLASSES[test[0].label] == "Diving"
    assert len(read(train[0])) == 6
    facts = videos.listing(tmp_path).facts
    assert facts["Run-Side-001"] == Facts(height=272, width=640)


def test_raw_gaze_of_dhf1k(tmp_path):
    raw = tmp_path / "exported"
    rows = ["time x y event", "0 720 450 F", "10 720 450 S", "40000\t720.0\t45 F", "80000 0 450 F"]
    for viewer in (1, 17):
        trees.write(raw / f"P{viewer:03d}" / f"P{viewer:03d}_Trail0001.txt", rows, "\r\n")
    (tmp_path / "video").mkdir()
    numbered_video(tmp_path / "video" / "1.mp4", 3, 360, 640).rename(tmp_path / "video/001.AVI")
    with pytest.warns(DatasetWarning, match="1 of 1000 videos are there"):
        (record,) = dhf1k.load(tmp_path, raw_gaze=raw, partial=True)
    fixations = read_fixations(record)
    assert fixations.viewer_names == ("001", "017")
    # 640x360 is shown as 1440x810 on the 1440x900 screen: 45 rows above and below it.
    assert fixations.frame.tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(fixations.x[::2], [0.5, 0.5, 0])
    np.testing.assert_allclose(fixations.y[::2], [0.5, 0, 0.5])
    with pytest.raises(FileNotFoundError, match="P001_Trail0601"):
        dhf1k.load(tmp_path, "validation", raw_gaze=raw)


def test_diem(tmp_path):
    rows = [
        "1 640 480 900 1 650 480 900 1",  # both eyes fixate: the mean
        "2 640 480 900 1 9000 9000 900 2",  # only the left one
        "3 640 480 900 2 640 480 900 0",  # none
        "4 300 480 900 1 300 480 900 1",  # outside the video
    ]
    for at in range(84):
        clip = f"clip_{at:02d}_640x480"
        trees.touch(tmp_path / clip / "video" / f"{clip}.mp4")
        for viewer in ("diem1s01.asc", "diem2s14.asc" if at else f"diem2s14.asc_15_{clip}.txt"):
            trees.write(tmp_path / clip / "event_data" / viewer, rows)
    records = diem.load(tmp_path)
    assert len(records) == 84
    fixations = read(records[0], frames=4, width=640, height=480, fps=30)
    assert fixations.frame.tolist() == [0, 0, 1, 1] and len(fixations.viewers) == 2
    np.testing.assert_allclose(fixations.x[::2] * 640, [645 - 320, 320])
    np.testing.assert_allclose(fixations.y * 480, 240)
    assert fixations.issues["outside the frame"] == 2
    assert fixations.issues["lost by the tracker"] == 2
    trees.write(tmp_path / "clip_00_640x480" / "event_data" / "diem1s01.asc", ["1 2 3"])
    with pytest.raises(ValueError, match="9 columns"):
        read_fixations(records[0], num_frames=4, width=4, height=4, frame_times=np.arange(4.0))


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_ledov(tmp_path, version):
    # subject, start in ms, duration in ms, x, y
    rows = np.array([[1, 0, 80, 320.0, 180.0], [1, 90, 20, 0, 0], [7, 40, 1, 10, 20]])
    for name in ("a [1]", "b"):
        trees.touch(tmp_path / name / f"{name}.mp4")
        file = tmp_path / name / "Data.mat"
        if version == "5":
            held = {"VideoName": name, "VideoFramerate": 25, "VideoFrames": 4, "fixdata": rows}
            scipy.io.savemat(file, {"Data": held})
        else:
            with h5py.File(file, "w", userblock_size=512) as out:
                out.create_group("Data").create_dataset("fixdata", data=rows.T)
    with pytest.raises(FileNotFoundError, match="all has 2 videos, but 538"):
        ledov.load(tmp_path)
    with pytest.warns(DatasetWarning):
        records = ledov.load(tmp_path, partial=True)
    fixations = read(records[0], frames=4, width=640, height=360)
    # Frames are shown from 0, 40, 80 and 120 ms on: 80-110 ms is frame 2, 40-41 ms frame 1.
    names = [fixations.name_of(viewer) for viewer in fixations.viewer]
    assert sorted(zip(fixations.frame.tolist(), names)) == [(0, "1"), (1, "1"), (1, "7"), (2, "1")]
    assert (fixations.x[0], fixations.y[0]) == (0.5, 0.5)
    for split, file in ledov.SPLITS.items():
        trees.write(
            tmp_path / "lists" / file, {"train": ["a [1].mp4"], "test": ["c"]}.get(split, [])
        )
    found = ledov.listing(tmp_path, lists=tmp_path / "lists")
    assert [r.split for r in found.records] == ["train", None] and found.lost == ["c"]


def test_coutrot(tmp_path):
    first = np.full((2, 3, 2), np.nan)
    first[:, 0, 0] = 320, 180
    first[:, 2, 1] = 0, 0
    second = np.full((2, 3, 1), 64.0)
    clips = {f"clip_{n}": {"data": first, "info": "x"} for n in range(1, 61)}
    other = {"clip_1": {"data": second}}
    scipy.io.savemat(
        tmp_path / "coutrot_database1.mat",
        {"Coutrot_Database1": {"Header": "h", "OriginalSounds": clips, "OtherSounds": other}},
    )
    trees.touch(*(tmp_path / "ERB3_Stimuli" / f"clip_{n}.avi" for n in range(1, 61)))
    records = coutrot.load(tmp_path)
    assert len(records) == 60
    fixations = read(
        next(r for r in records if r.name == "clip_1"), frames=3, width=640, height=360
    )
    found = sorted(zip(fixations.frame.tolist(), fixations.viewer.tolist()))
    assert found == [(0, 0), (0, 2), (1, 2), (2, 1), (2, 2)]
    assert fixations.issues["lost by the tracker"] == 4
    assert coutrot.listing(tmp_path).facts["clip_2"] == Facts(frames=3)
    (tmp_path / "coutrot_database1.mat").write_bytes(b"MATLAB 5.0 nonsense")
    with pytest.raises(ValueError, match="must be readable"):
        coutrot.load(tmp_path)
