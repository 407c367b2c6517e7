from __future__ import annotations

import numpy as np
import pytest

from zoo.datasets.joint import join
from zoo.datasets.record import Record, Segment, Tube

A = ("Run", "GolfSwing", "Eat")
B = ("golf_swing", "Jump", "Run")


def parts():
    tube = Tube(1, 0, np.zeros((2, 4), np.float32))
    first = [Record("x", "x.mp4", "train", 0), Record("y", "y.mp4", "test", 1, boxes=(tube,))]
    segments = (Segment(2, 0.0, 1.0),)
    unsure = (Segment(-1, 1.0, 2.0),)
    second = [
        Record("x", "z.mp4", "train", 0, segments=segments, ambiguous=unsure),
        Record("w", "w.mp4", "train", None),
    ]
    return {"a": (first, A), "b": (second, B)}


def test_classes_with_the_same_name_are_merged():
    whole = join(parts(), similar="same")
    assert whole.classes == ("Run", "GolfSwing", "Eat", "Jump")
    assert [r.name for r in whole.records] == ["a/x", "a/y", "b/x", "b/w"]
    assert [r.label for r in whole.records] == [0, 1, 1, None]
    assert whole.records[1].boxes[0].label == 1
    assert whole.records[2].segments == (Segment(0, 0.0, 1.0),)
    assert whole.records[2].ambiguous[0].label == -1
    assert whole.decided == {"a": (0, 1, 2), "b": (1, 3, 0)}
    assert [r.name for r in whole.of_split("train")] == ["a/x", "b/x", "b/w"]


def test_similar_names_must_be_decided():
    with pytest.raises(ValueError, match="b/golf_swing and GolfSwing"):
        join(parts())
    apart = join(parts(), similar="distinct")
    assert apart.classes == ("Run", "GolfSwing", "Eat", "golf_swing", "Jump")
    named = join(parts(), names={"b/golf_swing": "GolfSwing", "b/Run": "Run of b"})
    assert named.classes == ("Run", "GolfSwing", "Eat", "Jump", "Run of b")
    assert named.records[2].label == 1 and named.records[2].segments[0].label == 4


def test_several_labels_become_tuples():
    held = {**parts(), "c": ([Record("v", "v.mp4", "train", (1, 0))], ("Eat", "Kiss"))}
    whole = join(held, similar="same")
    assert [r.label for r in whole.records] == [(0,), (1,), (1,), None, (2, 4)]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="b/Swim"):
        join(parts(), names={"b/Swim": "Run"})
    with pytest.raises(ValueError, match="similar"):
        join(parts(), similar="maybe")
    with pytest.raises(ValueError, match="at least one"):
        join({})
    with pytest.raises(ValueError, match=r"below the number of classes, 3.*a/x"):
        join({"a": ([Record("x", "x.mp4", "train", 7)], A)})
