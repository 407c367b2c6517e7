from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests.datasets import trees
from tests.real_data import data_dir
from zoo.datasets import thumos14, ucf101
from zoo.datasets.record import Segment


def tree(root):
    """All annotation files; video i has class i % 20, and video 1 a second class too."""
    for split, short, count in (("validation", "val", 200), ("test", "test", 213)):
        folder = root / f"annotations_{short}"
        names = [f"video_{split}_{number:07d}" for number in range(1, count + 1)]
        for label, name in enumerate(thumos14.CLASSES):
            rows = [f"{n}  {10 + i}.5   12{i}.0 " for i, n in enumerate(names) if i % 20 == label]
            rows += [f"{names[0]} 5 6"] * 2 if label == 3 else []
            trees.write(folder / f"{name}_{short}.txt", rows, "\r\n")
        trees.write(folder / f"Ambiguous_{short}.txt", [f"{names[0]} 7 8"])
        trees.touch(*(root / split / f"{name}.mp4" for name in names))
        trees.touch(root / split / f"video_{split}_0001000.mp4")


def test_thumos14_complete(tmp_path):
    tree(tmp_path)
    records = thumos14.load(tmp_path)
    assert [r.split for r in records].count("validation") == 200 and len(records) == 413
    first = records[0]
    assert first.segments == (Segment(3, 5.0, 6.0), Segment(0, 10.5, 120.0))
    assert first.ambiguous == (Segment(thumos14.AMBIGUOUS, 7.0, 8.0),)
    assert first.label == (0, 3) and records[1].ambiguous is None
    found = thumos14.listing(tmp_path, drop=("video_test_0000005",))
    assert found.found() == {"validation": 200, "test": 212} and not found.wrong_counts()
    assert any("published test videos without segments" in note for note in found.notes)
    (tmp_path / "test" / "video_test_0000002.mp4").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 missing.*video_test_0000002"):
        thumos14.load(tmp_path)
    file = tmp_path / "annotations_val" / "LongJump_val.txt"
    file.write_text("video_validation_0000001 9 3\n")
    with pytest.raises(ValueError, match="LongJump_val"):
        thumos14.load(tmp_path)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="LongJump_val"):
        thumos14.load(tmp_path, "validation")


def test_the_classes_are_those_of_ucf101():
    assert [ucf101.CLASSES[number - 1] for number in thumos14.IDS] == list(thumos14.CLASSES)


def test_the_real_segments_and_frame_rates(tmp_path):
    real = data_dir("annotations", "thumos14")
    for _, short, meta in (
        ("validation", "val", "validation_set.mat"),
        ("test", "test", "test_set_meta.mat"),
    ):
        rows = {name: [] for name in thumos14.CLASSES}
        for line in (real / f"one_label_{short}.txt").read_text().splitlines():
            name, number, start, end = line.split()
            rows[ucf101.CLASSES[int(number)]].append(f"{name} {start} {end}")
        for name, held in rows.items():
            trees.write(tmp_path / f"annotations_{short}" / f"{name}_{short}.txt", held)
        trees.write(tmp_path / f"annotations_{short}" / f"Ambiguous_{short}.txt", [])
        shutil.copy(real / meta, tmp_path)
    found = thumos14.listing(tmp_path)
    segments = [segment for record in found.records for segment in record.segments]
    lines = sum(
        len(set((real / f"one_label_{s}.txt").read_text().splitlines())) for s in ("val", "test")
    )
    assert len(segments) == lines and len({s.label for s in segments}) == len(
        {s.label for r in found.of_split("test") for s in r.segments}
    )
    assert len(found.facts) == 1010 + 1574
    known = [found.facts[r.name] for r in found.of_split("validation")]
    rates = {round(f.frames / f.seconds, 1) for f in known if f.frames and f.seconds}
    assert len(rates) > 1  # segments are in seconds because frame rates differ
    for record in found.of_split("validation"):
        seconds = found.facts[record.name].seconds
        assert max(s.end for s in record.segments) <= np.ceil(seconds) + 1
