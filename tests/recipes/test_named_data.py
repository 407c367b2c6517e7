from __future__ import annotations

import os
import warnings
from types import SimpleNamespace

import pytest

from tests.datasets import trees
from tests.datasets.conftest import numbered_video
from zoo.datasets import ucf11, ucf101
from zoo.datasets.listing.listing import DatasetWarning
from zoo.datasets.record import Record
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import load
from zoo.datasets.shards.streams import FrameStream
from zoo.recipes import soft_attention
from zoo.training.named_data import SPLITS, class_names, hold_out, load_records, mixed_records


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A few videos of UCF101 and of UCF11, in their layouts."""
    root = tmp_path_factory.mktemp("sets")
    clip = numbered_video(root / "clip.mp4", 8).read_bytes()
    lists = root / "ucf101" / "ucfTrainTestlist"
    trees.write(lists / "classInd.txt", [f"{i} {n}" for i, n in enumerate(ucf101.CLASSES, 1)])
    names = {
        "train": [f"{c}/v_{c}_g08_c0{n}.avi" for c in ("Basketball", "Biking") for n in (1, 2, 3)],
        "test": [f"{c}/v_{c}_g01_c01.avi" for c in ("Basketball", "Biking")],
    }
    number = {name: at for at, name in enumerate(ucf101.CLASSES, 1)}
    rows = [f"{name} {number[name.split('/')[0]]}" for name in names["train"]]
    for fold in (1, 2):
        trees.write(lists / f"trainlist0{fold}.txt", rows[: 5 if fold == 2 else 6])
        trees.write(lists / f"testlist0{fold}.txt", names["test"])
    paths = [root / "ucf101" / "UCF-101" / name for part in names.values() for name in part]
    paths += [
        root / "ucf11" / label / f"v_{label}_{g:02d}" / f"v_{label}_{g:02d}_01.avi"
        for label in ("basketball", "walking")
        for g in (1, 2, 4)
    ]
    trees.touch(*paths)
    for path in paths:
        path.write_bytes(clip)
    return str(root / "ucf101"), str(root / "ucf11")


@pytest.fixture(autouse=True)
def parts_are_no_news():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_one_data_set_and_its_options(folders):
    records = load_records("ucf101:partial=1", folders[0], "train", "label")
    assert len(records) == 6 and class_names("ucf101", folders[0]) == ucf101.CLASSES
    assert len(load_records("ucf101:partial=1,fold=2", folders[0], "train", "label")) == 5
    with pytest.raises(FileNotFoundError, match="but 9537"):
        load_records("ucf101", folders[0], "train", "label")
    with pytest.raises(ValueError, match="colour"):
        load_records("ucf101:colour=red", folders[0], "train", "label")
    with pytest.raises(ValueError, match="NAME=VALUE"):
        load_records("ucf101:fold", folders[0], "train", "label")
    with pytest.raises(ValueError, match="zoo list"):
        load_records("ucf1001", folders[0], "train", "label")


def test_two_data_sets_jointly(folders):
    both = os.pathsep.join(folders)
    name = "ucf101:partial=1+ucf11:partial=1"
    with pytest.raises(ValueError, match="ucf11/basketball and Basketball"):
        load_records(name, both, "train", "label")
    name += ",similar=same"
    records = load_records(name, both, "train", "label")
    classes = class_names(name, both)
    assert classes[:101] == ucf101.CLASSES and len(classes) < 101 + len(ucf11.CLASSES)
    held = {record.name: classes[record.label] for record in records}
    assert held["ucf11/basketball/v_basketball_01_01"] == "Basketball"
    assert held["ucf11/walking/v_walking_02_01"] == "walking"
    assert held["ucf101/Biking/v_Biking_g08_c01"] == "Biking"
    assert len(load_records(name, both, "test", "label")) == 2 + 2
    with pytest.raises(ValueError, match="Each data set must have a folder"):
        load_records(name, folders[0], "train", "label")


@pytest.mark.slow
def test_soft_attention_trains_on_both(folders, tmp_path):
    config = soft_attention.Config(
        dataset="ucf101:partial=1+ucf11:partial=1,similar=same",
        data_dir=os.pathsep.join(folders),
        output=str(tmp_path / "run"),
        backbone="small",
        trainable_backbone=True,
        image_size=(16, 16),
        units=4,
        num_layers=1,
        num_frames=4,
        batch_size=4,
        epochs=1,
        test_stride=4,
        deterministic=False,
        tensorboard=False,
    )
    results = soft_attention.main(config)
    assert 0 <= results["test"]["accuracy"] <= 1


def test_gaze_without_published_splits(tmp_path):
    rows = ["1 320 240 1 1 320 240 1 1"]
    for at in range(10):
        trees.touch(tmp_path / f"clip{at}" / "video" / f"clip{at}.mp4")
        trees.write(tmp_path / f"clip{at}" / "event_data" / "diem1s01.asc", rows)
    with pytest.raises(FileNotFoundError, match="84 or 85"):
        load_records("diem", tmp_path, "train")
    for at in range(10, 85):
        trees.touch(tmp_path / f"clip{at}" / "video" / f"clip{at}.mp4")
        trees.write(tmp_path / f"clip{at}" / "event_data" / "diem1s01.asc", rows)
    train, test = (load_records("diem", tmp_path, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (68, 17)
    assert not {r.name for r in train} & {r.name for r in test}


def test_test_rows_of_a_table_are_never_trained_on(tmp_path):
    clip = numbered_video(tmp_path / "clip.mp4", 8).read_bytes()
    rows = ["video,label,split"]
    for at, split in enumerate(("train", "", "validation", "test", "test")):
        (tmp_path / f"v{at}.mp4").write_bytes(clip)
        rows.append(f"v{at}.mp4,{'ab'[at % 2]},{split}")
    table = tmp_path / "videos.csv"
    table.write_text("\n".join(rows) + "\n")
    for read in (
        lambda split: load_records("csv", table, split, "label"),
        lambda split: load_records("csv", table, split, "any"),
        lambda split: mixed_records([("csv", str(table))], split)[0],
    ):
        assert sorted(record.name for record in read("train")) == ["v0", "v1", "v2"]
        assert sorted(record.name for record in read("test")) == ["v3", "v4"]
    assert class_names("csv", table) == ("a", "b")
    with pytest.raises(ValueError, match="split='both'"):
        load_records("csv", table, "both")


def test_rows_in_splits_that_no_recipe_uses_are_named(tmp_path, caplog):
    for at in range(5):
        numbered_video(tmp_path / f"v{at}.mp4", 8)
    table = tmp_path / "videos.csv"
    table.write_text(
        "video,label,split\nv0.mp4,a,Train\nv1.mp4,a,val\nv2.mp4,b,val\nv3.mp4,b,\nv4.mp4,b,test\n"
    )
    told = r"videos.csv with 3 of 5 rows .* left out: 'Train' 1, 'val' 2"
    with caplog.at_level("INFO", "zoo.datasets"), pytest.warns(DatasetWarning, match=told):
        assert [r.name for r in load_records("csv", table, "train", "label")] == ["v3"]
    assert "Train 1, test 1, val 2, without a split 1" in caplog.text
    table.write_text("video,label,split\nv0.mp4,a,validation\nv3.mp4,b,\nv4.mp4,b,test\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load_records("csv", table, "train", "label")) == 2


def test_no_data_set_trains_on_its_test_split():
    for name, (training, test) in SPLITS.items():
        assert test not in training, name


@pytest.mark.parametrize(
    "made_of, training, test",
    [
        ("dhf1k", ["train"], ["validation"]),
        ("thumos14", ["validation"], ["test"]),
        ("ucf101", ["train", "validation"], ["test"]),
    ],
)
def test_shards_have_the_splits_of_the_data_set_in_them(monkeypatch, made_of, training, test):
    from zoo.datasets.shards import reading

    held = [Record(split, "film.mp4", split, 0) for split in ("train", "validation", "test")]
    opened = SimpleNamespace(manifest={"dataset": made_of})
    monkeypatch.setattr(reading, "load", lambda root: held)
    monkeypatch.setattr(reading, "open_shards", lambda root: opened)
    for split, wanted in (("train", training), ("test", test)):
        assert [
            r.name for r in load_records("shards", "http://host:8000/made", split, "label")
        ] == wanted


def test_videos_without_what_is_learned_are_counted(tmp_path, caplog):
    for at in range(3):
        numbered_video(tmp_path / f"v{at}.mp4", 8)
    table = tmp_path / "videos.csv"
    table.write_text("video,label\nv0.mp4,a\nv1.mp4,\nv2.mp4,\n")
    with caplog.at_level("INFO", "zoo.datasets"):
        assert load_records("csv", table, "train", "gaze") == []
        assert len(load_records("csv", table, "train", "label")) == 1
    assert "3 of 3 videos (train) have no gaze: left out" in caplog.text
    assert "2 of 3 videos (train) have no label: left out" in caplog.text


def test_the_hold_out_shares_no_video_with_the_training():
    records = [Record(f"r{n}", f"film{n // 2}.mp4") for n in range(20)]
    train, held = hold_out(records, 0.3, seed=1)
    assert len(train) + len(held) == 20 and len(held) == 6
    assert not {r.video for r in train} & {r.video for r in held}
    assert hold_out(records, 0.3, seed=1) == (train, held) != hold_out(records, 0.3, seed=2)
    with pytest.raises(ValueError, match=r"at least 2 different videos.*held out for validation"):
        hold_out(records[:2], 0.3)
    with pytest.raises(ValueError, match="share=1"):
        hold_out(records, 1)


def test_a_data_set_named_twice_is_an_error():
    """One would replace the other."""
    with pytest.raises(ValueError, match=r"must be named once.*'ucf11' twice"):
        load_records("ucf11+ucf11:partial=1", f"a{os.pathsep}b", "train")


def test_the_parts_of_a_film_stay_together_in_shards(tmp_path):
    """In shards, every part is a video of its own."""
    records = []
    for film in range(3):
        video = str(numbered_video(tmp_path / f"{film}.mp4", 20))
        for part in range(4):
            ends = {"start": 0.2 * part, "end": 0.2 * part + 0.2}
            records.append(Record(f"{film}-{part}", video, "train", 0, **ends))
    prepare(records, tmp_path / "out", [FrameStream((16, 64))], workers=1)
    for seed in range(4):
        parts = hold_out(load(tmp_path / "out"), 0.3, seed=seed)
        train, held = ({record.name[0] for record in part} for part in parts)
        assert len(held) == 1 and not train & held
