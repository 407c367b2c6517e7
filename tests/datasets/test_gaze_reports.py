"""Inputs that users have reported: gaze of trackers and fixation maps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.datasets import your_own
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.gaze.store import GazeStore
from zoo.datasets.record import GazeSource, Record
from zoo.datasets.video.index import VideoIndex


def of(*folder):
    (record,) = your_own.load(data_dir("reports", *folder) / "videos.csv")
    return read_fixations(record, warn=False)


def test_one_sample_at_each_frames_own_stamp():
    assert of("gaze_time_rounding").per_frame.tolist() == [1] * 60


def test_viewers():
    assert of("viewer_names").viewer_names == ("001", "01", "1")
    fixations = of("same_file_names")
    assert len(fixations.viewers) == 3 and fixations.per_frame.tolist()[:3] == [3, 3, 3]


def test_exports_in_other_encodings():
    assert len(of("tracker_exports", "g4b")) == 1  # UTF-16
    fixations = of("tracker_exports", "g4d")  # Latin-1
    assert fixations.viewer_names == ("José",) and "cp1252" in fixations.notes[0]


@pytest.mark.parametrize(
    "folder, frames, expected", [("first_missing", 10, [0] + [1] * 9), ("u16_255", 3, [3, 3, 3])]
)
def test_fixation_maps(folder, frames, expected):
    path = data_dir("reports", "fixation_maps", folder)
    record = Record("maps", "none", gaze=GazeSource((str(path),), "maps"))
    fixations = read_fixations(record, num_frames=frames, width=160, height=120, warn=False)
    assert fixations.per_frame.tolist() == expected and not fixations.notes


@pytest.mark.parametrize("stored", [False, True])
def test_the_display_aspect_ratio(stored, tmp_path):
    fixations = of("anamorphic_letterbox")
    if stored:  # as training reads it
        (record,) = your_own.load(data_dir("reports", "anamorphic_letterbox") / "videos.csv")
        facts = VideoIndex().scan([record.video])[record.video]
        GazeStore(tmp_path).get(record, facts)
        fixations = GazeStore(tmp_path).get(record, facts)
        assert fixations.viewer_names == ("1",)
    np.testing.assert_allclose(fixations.x, [0.05, 0.95, 0.5])
    np.testing.assert_allclose(fixations.y, [0.05, 0.95, 0.5])
