"""Localisation on the real annotations of UCF101-24 and THUMOS14."""

from __future__ import annotations

import pickle
from collections import defaultdict

import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.metrics import (
    VideoSegment,
    VideoTube,
    spatial_localisation_map,
    temporal_localisation_map,
)

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class ArraysOnly(pickle.Unpickler):
    """Allows NumPy's arrays and numbers, and nothing that runs code."""

    def find_class(self, module, name):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


@pytest.fixture(scope="module")
def tubes():
    folder = data_dir("annotations", "ucf101_24")
    with open(folder / "pyannot.pkl", "rb") as file:
        annotations = ArraysOnly(file, encoding="latin1").load()
    test = set((folder / "testlist01.txt").read_text().split())
    found = [
        VideoTube(name, part["label"], int(part["sf"]), part["boxes"])
        for name, video in annotations.items()
        if name in test
        for part in video["annotations"]
    ]
    assert len(test) == 910 and len({t.label for t in found}) == 24
    return found


def moved(tubes, right=0.0, score=1.0):
    """Tubes moved to the right by a fraction of each box's width."""
    east = np.array([[right, 0.0, 0.0, 0.0]])
    return [
        VideoTube(t.video, t.label, t.start, t.boxes + t.boxes[:, 2:3] * east, score) for t in tubes
    ]


def single(tubes) -> list[VideoTube]:
    """The only tube of each video, so that its match is known."""
    count = defaultdict(int)
    for tube in tubes:
        count[tube.video] += 1
    return [t for t in tubes if count[t.video] == 1]


def test_true_tubes_match_themselves(tubes):
    assert spatial_localisation_map(tubes, tubes) == dict.fromkeys((0.05, 0.1, 0.2, 0.3), 1.0)


def test_tubes_moved_by_half_their_width(tubes):
    # Half of a box overlaps: 1/2 of 3/2 areas, an IoU of 1/3.
    tubes = single(tubes)
    found = spatial_localisation_map(tubes, moved(tubes, right=0.5), thresholds=(0.33, 0.34))
    assert found == {0.33: 1.0, 0.34: 0.0}


def test_tubes_with_every_class_half_wrong(tubes):
    # Every true tube is found, after as many wrong ones of higher score: precision i / (n + i)
    # rises to 1/2 at the last one, so the envelope is 1/2 throughout.
    tubes = single(tubes)
    predictions = moved(tubes, right=2.0, score=2.0) + moved(tubes)
    found = spatial_localisation_map(tubes, predictions, thresholds=(0.2,))
    assert found[0.2] == pytest.approx(0.5)


def test_tubes_moved_in_time(tubes):
    # n frames moved by n / 2 have a temporal IoU of 1/3. The first box does not move, so the
    # boxes are the same.
    still, late = [], []
    for t in single(tubes):
        frames = len(t.boxes)
        if frames % 2 == 0:
            boxes = t.boxes[:1].repeat(frames, axis=0)
            still.append(VideoTube(t.video, t.label, t.start, boxes))
            late.append(VideoTube(t.video, t.label, t.start + frames // 2, boxes))
    found = spatial_localisation_map(still, late, thresholds=(0.33, 0.34))
    assert found == {0.33: 1.0, 0.34: 0.0}


@pytest.fixture(scope="module")
def segments():
    lines = data_dir("annotations", "thumos14", "one_label_test.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line.strip()]
    return [VideoSegment(v, int(label), float(a), float(b)) for v, label, a, b in rows]


def apart(segments) -> list[VideoSegment]:
    """Only the longest segment of each video: nothing else can be matched."""
    by_length = sorted(segments, key=lambda s: s.end - s.start)
    return list({s.video: s for s in by_length}.values())


def test_true_segments_match_themselves(segments):
    found = temporal_localisation_map(segments, segments)
    assert found == pytest.approx(dict.fromkeys((0.1, 0.2, 0.3, 0.4, 0.5), 1.0))


def test_segments_moved_by_half_their_length(segments):
    segments = apart(segments)
    late = [
        VideoSegment(s.video, s.label, (s.start + s.end) / 2, s.end + (s.end - s.start) / 2)
        for s in segments
    ]
    found = temporal_localisation_map(segments, late, thresholds=(0.33, 0.34))
    assert found == {0.33: 1.0, 0.34: 0.0}


def test_surer_wrong_segments_halve_the_precision_unless_ambiguous(segments):
    segments = apart(segments)
    count = defaultdict(int)
    for s in segments:
        count[s.label] += 1
    wrong = [VideoSegment(s.video, s.label, s.end + 1, s.end + 2, 2.0) for s in segments]
    found = temporal_localisation_map(segments, wrong + segments, thresholds=(0.5,))
    # No interpolation: the mean over i of i / (n + i), for each class.
    wanted = [np.mean([i / (n + i) for i in range(1, n + 1)]) for n in count.values()]
    assert found[0.5] == pytest.approx(np.mean(wanted))
    found = temporal_localisation_map(
        segments, wrong + segments, thresholds=(0.5,), ambiguous=wrong
    )
    assert found[0.5] == 1.0
