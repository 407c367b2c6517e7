from __future__ import annotations

import cv2
import numpy as np
import pytest
import scipy.io

from tests.datasets.conftest import numbered_video
from tests.real_data import data_dir
from zoo.datasets import dhf1k, ucf_sports
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.listing.listing import DatasetWarning
from zoo.datasets.video.reading import open_video


def picture(path, value=255):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((36, 64), np.uint8)
    image[9, 16] = value
    cv2.imwrite(str(path), image)


def test_the_real_ucf_sports_sample():
    root = data_dir("gaze", "ucf_sports")
    with pytest.warns(DatasetWarning, match="test has 1 videos"):
        (record,) = ucf_sports.load(root, "test", partial=True)
    assert record.name == "Diving-Side-001" and ucf_sports.CLASSES[record.label] == "Diving"
    video = open_video(record.video)
    assert (video.num_frames, video.height, video.width) == (54, 404, 720)
    fixations = read_fixations(record)
    assert fixations.num_frames == 54
    assert (fixations.per_frame.min(), fixations.per_frame.max()) == (215, 593)
    with pytest.raises(FileNotFoundError, match=r"test has 1 videos, but 47"):
        ucf_sports.load(root, "test")
    with pytest.raises(FileNotFoundError, match="training"):
        ucf_sports.load(root, "train", partial=True)


def test_ucf_sports_complete_and_with_a_missing_file(tmp_path):
    for split, numbers in (("training", range(47, 150)), ("testing", range(47))):
        for number in numbers:
            for part in ("images", "fixation", "maps"):
                (tmp_path / split / f"Swing-Bench-{number:03d}" / part).mkdir(parents=True)
    records = ucf_sports.load(tmp_path)
    assert [r.split for r in records].count("train") == 103
    assert {ucf_sports.CLASSES[r.label] for r in records} == {"Swing-Bench"}
    (tmp_path / "testing" / "Swing-Bench-007" / "images").rmdir()
    with pytest.raises(FileNotFoundError, match=r"1 missing.*Swing-Bench-007.images"):
        ucf_sports.load(tmp_path, "test")
    with pytest.raises(ValueError, match="split"):
        ucf_sports.load(tmp_path, "training")


def test_dhf1k_in_all_published_layouts(tmp_path):
    (tmp_path / "video").mkdir()
    numbered_video(tmp_path / "video" / "1.mp4", 2, 36, 64).rename(tmp_path / "video" / "001.AVI")
    for number in (1, 2):
        picture(tmp_path / "video" / "0601" / f"{number:04d}.png")
        picture(tmp_path / "annotation" / "0002" / "images" / f"{number:04d}.png")
        picture(tmp_path / "annotation" / "0001" / "fixation" / f"{number:04d}.png")
        for video in ("0002", "0601"):
            maps = tmp_path / "annotation" / video / "fixation" / "maps"
            maps.mkdir(parents=True, exist_ok=True)
            held = np.zeros((36, 64), np.uint8)
            held[9, 16] = 1
            scipy.io.savemat(maps / f"{number:04d}.mat", {"I": held})
    numbered_video(tmp_path / "video" / "1.mp4", 2).rename(tmp_path / "video" / "701.AVI")
    with pytest.warns(DatasetWarning, match="4 of 1000 videos are there; 1693 missing"):
        records = dhf1k.load(tmp_path, partial=True)
    assert [(r.name, r.split) for r in records] == [
        ("0001", "train"),
        ("0002", "train"),
        ("0601", "validation"),
        ("0701", "test"),
    ]
    assert records[3].gaze is None
    for record in records[:3]:
        fixations = read_fixations(record)
        assert fixations.frame.tolist() == [0, 1]
        assert (fixations.x[0], fixations.y[0]) == (16.5 / 64, 9.5 / 36)
    with pytest.raises(FileNotFoundError, match="1196 missing"):
        dhf1k.load(tmp_path, "train")
