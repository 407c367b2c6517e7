from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import scipy.io

from tests.datasets import trees
from tests.real_data import data_dir
from zoo.datasets import hmdb51, hollywood2, moments, ucf11, ucf101, ucf101_24
from zoo.datasets.listing.listing import DatasetWarning


@pytest.fixture(scope="module")
def ucf(tmp_path_factory):
    root = tmp_path_factory.mktemp("ucf101")
    return root, trees.ucf101_tree(root)


def test_ucf101_complete(ucf, caplog):
    root, _ = ucf
    with caplog.at_level("INFO", "zoo.datasets"):
        for fold, (train, test) in ucf101.COUNTS.items():
            assert len(ucf101.load(root, "train", fold=fold)) == train
            records = ucf101.load(root, fold=fold)
            assert len(records) == 13320 and sum(r.split == "test" for r in records) == test
    assert "UCF101 fold 1: train 9537 (published 9537), test 3783 (published 3783)" in caplog.text
    record = next(r for r in records if "HandStandPushups" in r.name)
    assert ucf101.CLASSES[record.label] == "HandstandPushups"
    assert record.video.startswith(str(root / "UCF-101" / "HandstandPushups"))
    assert len(ucf101.CLASSES) == 101 and ucf101.CLASSES[0] == "ApplyEyeMakeup"


def test_ucf101_with_missing_and_surplus_files(ucf):
    root, names = ucf
    hole = root / "UCF-101" / names[5]
    more = root / "UCF-101" / "YoYo" / "v_More_[1]#.avi"
    hole.unlink()
    trees.touch(more)
    try:
        with pytest.raises(FileNotFoundError, match=rf"1 missing.*{names[5].split('/')[1]}"):
            ucf101.load(root)
        with pytest.warns(DatasetWarning) as caught:
            assert len(ucf101.load(root, partial=True)) == 13319
        told = " ".join(str(w.message) for w in caught)
        assert "13319 of 13320" in told and "1 videos that no annotation lists" in told
        assert "v_More_[1]#.avi" in told
    finally:
        trees.touch(hole)
        more.unlink()


def test_the_real_lists_of_ucf101(tmp_path):
    lists = data_dir("annotations", "ucf101", "ucfTrainTestlist")
    for fold, counts in ucf101.COUNTS.items():
        found = ucf101.listing(tmp_path, fold=fold, lists=lists)
        assert tuple(found.found().values()) == counts
    with pytest.raises(FileNotFoundError, match="13320 missing"):
        ucf101.load(tmp_path, lists=lists)


@pytest.mark.parametrize(
    "file, text, message",
    [
        ("testlist01.txt", None, "testlist01.txt"),
        ("classInd.txt", "1 ApplyLipstick\n", "101 classes"),
        ("trainlist01.txt", "Archery/v_a.avi 4\n", "line 1"),
        ("trainlist01.txt", "Nothing/v_a.avi 4\n", "line 1"),
        ("trainlist01.txt", "Archery/v_a.avi 3\n", "train has 1 videos, but 9537"),
        ("testlist01.txt", "YoYo/v_y.avi\nYoYo/v_y.avi\n", "1 videos listed more than once: YoYo"),
    ],
)
def test_invalid_lists_are_rejected(tmp_path, file, text, message):
    lists = tmp_path / "ucfTrainTestlist"
    named = [f"{i} {n}" for i, n in enumerate(ucf101.CLASSES, 1)]
    trees.write(lists / "classInd.txt", named)
    trees.write(lists / "trainlist01.txt", [])
    trees.write(lists / "testlist01.txt", [])
    (lists / file).unlink()
    if text is not None:
        (lists / file).write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        ucf101.load(tmp_path)


def test_the_real_boxes_of_ucf101_24(tmp_path):
    folder = data_dir("annotations", "ucf101_24")
    found = ucf101_24.listing(tmp_path, annotation=folder)
    assert found.found() == {"train": 2284, "test": 910}
    tubes = [tube for record in found.records for tube in record.boxes]
    boxes = np.concatenate([tube.boxes for tube in tubes])
    assert (len(found.records), len(tubes)) == (3194, 4458)
    assert boxes.min() >= 0 and boxes[:, 2:].min() > 0
    assert (boxes[:, 0] + boxes[:, 2]).max() <= 320 and (boxes[:, 1] + boxes[:, 3]).max() <= 240
    for record in found.records:
        frames = found.facts[record.name].frames
        assert all(tube.start + len(tube.boxes) <= frames for tube in record.boxes)
    other = ucf101_24.read_annotation(folder / "finalAnnots.mat")
    assert set(other) == {record.name for record in found.records}
    for record in found.records:
        for tube, same in zip(record.boxes, other[record.name][1], strict=True):
            assert (tube.label, tube.start) == (same.label, same.start)
            np.testing.assert_array_equal(tube.boxes, same.boxes)


class RunsCode:
    def __reduce__(self):
        return print, ("this must not run",)


def test_ucf101_24_rejects_a_pickle_that_would_run_code(tmp_path, capsys):
    held = trees.ucf101_24_boxes()
    (tmp_path / "pyannot.pkl").write_bytes(pickle.dumps(held, protocol=2))
    test = [name for name in held if name.endswith("c02")]
    trees.write(tmp_path / "testlist01.txt", test, "\r\n")
    trees.touch(*(tmp_path / "UCF-101" / f"{name}.avi" for name in held))
    with pytest.raises(FileNotFoundError, match="train has 24 videos, but 2284"):
        ucf101_24.load(tmp_path)
    with pytest.warns(DatasetWarning):
        records = ucf101_24.load(tmp_path, "test", partial=True)
    assert len(records) == 24
    (tube,) = records[3].boxes
    assert (records[3].label, tube.label, tube.start) == (3, 3, 3)
    np.testing.assert_array_equal(tube.boxes, [[199, 0, 100, 50], [200, 1, 100, 50]])
    assert tube.boxes[0, 0] + tube.boxes[0, 2] == 299

    (tmp_path / "pyannot.pkl").write_bytes(pickle.dumps({"a": RunsCode()}))
    with pytest.raises(ValueError, match=r"names (builtins|__builtin__)\.print"):
        ucf101_24.load(tmp_path)
    assert "must not run" not in capsys.readouterr().out
    (tmp_path / "pyannot.pkl").write_bytes(pickle.dumps(held)[:-9])
    with pytest.raises(ValueError, match="must be complete"):
        ucf101_24.load(tmp_path)
    (tmp_path / "pyannot.pkl").write_bytes(pickle.dumps({"a": {"numf": 3}}))
    with pytest.raises(ValueError, match="published form"):
        ucf101_24.read_annotation(tmp_path / "pyannot.pkl")


@pytest.mark.parametrize("module, name", [("os", "system"), ("numpy", "load"), ("copyreg", "x")])
def test_pickles_may_contain_only_arrays(tmp_path, module, name):
    from zoo.files.safe_pickle import read_pickle

    (tmp_path / "a.pkl").write_bytes(f"c{module}\n{name}\n(S'x'\ntR.".encode())
    with pytest.raises(ValueError, match=rf"{module}\.{name}"):
        read_pickle(tmp_path / "a.pkl")


def test_hmdb51_complete(tmp_path):
    paths = trees.hmdb51_tree(tmp_path)
    assert len(paths) == 6766
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for fold in hmdb51.FOLDS:
            records = hmdb51.load(tmp_path, fold=fold)
            splits = [record.split for record in records]
            assert [splits.count(s) for s in ("train", "test", "unused")] == [3570, 1530, 1666]
    assert {record.video for record in records} == {str(path) for path in paths}
    assert all(hmdb51.CLASSES[r.label] == r.name.split("/")[0] for r in records)
    list_file = tmp_path / "testTrainMulti_7030_splits" / "wave_test_split2.txt"
    list_file.unlink()
    with pytest.raises(FileNotFoundError, match=r"1 missing.*wave_test_split2"):
        hmdb51.load(tmp_path, fold=2)
    list_file.write_text("a.avi 3\n")
    with pytest.raises(ValueError, match=r"0\|1\|2"):
        hmdb51.load(tmp_path, fold=2)
    with pytest.raises(ValueError, match="fold"):
        hmdb51.load(tmp_path, fold=4)


def test_hollywood2_complete(tmp_path):
    root = trees.hollywood2_tree(tmp_path, "\r\n")
    records = hollywood2.load(tmp_path)
    assert len(records) == 823 + 884
    assert records[9].name == "actioncliptrain00010" and records[9].label == (0, 10)
    assert records[0].label == (1,)
    assert len(hollywood2.load(tmp_path, "autotrain")) == 810
    (root / "ClipSets" / "Kiss_test.txt").write_text("actioncliptest00001 1\n")
    with pytest.raises(ValueError, match="differs in 883"):
        hollywood2.load(tmp_path)
    (root / "ClipSets" / "Kiss_test.txt").write_text("actioncliptest00001 2\n")
    with pytest.raises(ValueError, match=r"1\|-1"):
        hollywood2.load(tmp_path)
    (root / "ClipSets" / "Kiss_test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="Kiss_test"):
        hollywood2.load(tmp_path)


def test_ucf11_complete(tmp_path):
    paths = trees.ucf11_tree(tmp_path)
    records = ucf11.load(tmp_path)
    train, test = (ucf11.load(tmp_path, split) for split in ("train", "test"))
    assert len(records) == 1600 and len(train) + len(test) == 1600
    assert 0.36 < len(test) / 1600 < 0.42  # as 625 of 1600
    groups = [{r.video.split("_")[-2] for r in part} for part in (train, test)]
    assert not groups[0] & groups[1]
    paths[0].unlink()
    with pytest.raises(FileNotFoundError, match="all has 1599 videos, but 1600"):
        ucf11.load(tmp_path)
    with pytest.raises(ValueError, match="from 1 to 25"):
        ucf11.load(tmp_path, test_groups=(26,))


def test_moments(tmp_path):
    rows = [("train", "playing+music", f"x [{n}]#.mp4") for n in range(4)]
    rows += [("validation", "clapping", "y.mp4")]
    trees.moments_tree(tmp_path, rows)
    with pytest.raises(FileNotFoundError, match="802243"):
        moments.load(tmp_path)
    with pytest.warns(DatasetWarning):
        records = moments.load(tmp_path, partial=True)
    assert [moments.CLASSES[r.label] for r in records] == ["playing+music"] * 4 + ["clapping"]
    assert records[0].video == str(tmp_path / "training" / "playing+music" / "x [0]#.mp4")
    trees.touch(tmp_path / "training" / "clapping" / "new.mp4")
    assert moments.listing(tmp_path).surplus == [str(tmp_path / "training/clapping/new.mp4")]
    names = data_dir("annotations", "moments_categories_names.txt").read_text().split()
    assert tuple(names) == moments.CLASSES
    (tmp_path / "trainingSet.csv").write_text("a/b.mp4,nonsense,3,1\n")
    with pytest.raises(ValueError, match="line 1"):
        moments.load(tmp_path, partial=True)
    (tmp_path / "moments_categories.txt").write_text("clapping,1\n")
    with pytest.raises(ValueError, match="339"):
        moments.load(tmp_path)


def test_real_class_names():
    names = data_dir("annotations", "hmdb51_classes.txt").read_text().split()
    assert tuple(names) == hmdb51.CLASSES
    meta = scipy.io.loadmat(
        data_dir("annotations", "thumos14", "validation_set.mat"), squeeze_me=True
    )["validation_videos"]
    named = {int(v["primary_action_index"]): str(v["primary_action"]) for v in meta}
    assert [named[at + 1] for at in range(101)] == list(ucf101.CLASSES)
