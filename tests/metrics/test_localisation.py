"""Localisation by hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.datasets import record
from zoo.metrics import (
    VideoSegment,
    VideoTube,
    attention_boxes,
    attention_segments,
    attention_tubes,
    segment_iou,
    spatial_localisation_map,
    temporal_average_precisions,
    temporal_localisation_map,
    true_segments,
    true_tubes,
    tube_iou,
)


def tube(video="a", label=0, start=0, frames=4, box=(0, 0, 10, 10), score=1.0):
    return VideoTube(video, label, start, np.tile(box, (frames, 1)), score)


def test_boxes_from_attention():
    masks = np.zeros((3, 4, 4))
    masks[0, 1, 2] = 1.0
    masks[1] = 0.9
    # Row 1, column 2 of 4 covers 8-15 and 16-23 of 32; bilinear weights of the centre's eight
    # pixels are above one half in both directions together only near it.
    boxes = attention_boxes(masks, 32, 32, threshold=0.5)
    weight = 1 - np.abs((np.arange(32) + 0.5) / 8 - 0.5 - 1)
    inside = np.flatnonzero(weight * weight.max() > 0.5)
    np.testing.assert_array_equal(boxes[0], [inside[0] + 8, inside[0], len(inside), len(inside)])
    np.testing.assert_array_equal(boxes[1], [0, 0, 32, 32])
    assert np.isnan(boxes[2]).all()
    np.testing.assert_array_equal(attention_boxes(masks[1:2], 9, 17)[0], [0, 0, 17, 9])


def test_tubes_from_boxes_are_runs_of_frames():
    boxes = np.full((6, 4), np.nan)
    boxes[1:3], boxes[5] = (1, 2, 3, 4), (5, 6, 7, 8)
    tubes = attention_tubes("a", 3, boxes, start=10, score=0.5)
    assert [(t.start, len(t.boxes), t.label, t.score) for t in tubes] == [
        (11, 2, 3, 0.5),
        (15, 1, 3, 0.5),
    ]


def test_tube_iou_by_hand():
    one = tube(frames=4)
    assert tube_iou(one, one) == 1.0
    # Half the width is shared: 50 / 150; two of six frames: 2 / 6.
    other = tube(start=2, frames=4, box=(5, 0, 10, 10))
    assert tube_iou(one, other) == pytest.approx((2 / 6) * (50 / 150))
    assert tube_iou(one, tube(start=4)) == 0.0
    assert tube_iou(one, tube(box=(20, 0, 10, 10))) == 0.0


def test_eight_bit_boxes_do_not_wrap_around():
    boxes = np.array([[200, 10, 100, 40]], "uint8")
    assert tube_iou(VideoTube("a", 0, 0, boxes), VideoTube("a", 0, 0, boxes.astype(int))) == 1.0


def test_spatial_map_by_hand():
    truth = [tube("a"), tube("b"), tube("c", label=1)]
    assert spatial_localisation_map(truth, truth) == dict.fromkeys((0.05, 0.1, 0.2, 0.3), 1.0)
    predictions = [
        tube("a", score=0.9),
        tube("a", score=0.8),  # The true tube is already matched: wrong.
        tube("b", score=0.7, box=(5, 0, 10, 10)),  # IoU 1/3.
        tube("c", label=0, score=0.95),  # The other class.
        tube("c", label=1, score=0.1),
    ]
    # Class 0 by score: wrong, right, wrong, right; precisions 1/2 and 2/4; class 1: 1.
    found = spatial_localisation_map(truth, predictions, thresholds=(0.3, 0.4))
    assert found[0.3] == pytest.approx(((1 / 2 + 2 / 4) / 2 + 1) / 2)
    assert found[0.4] == pytest.approx(((1 / 2) / 2 + 1) / 2)


def test_spatial_average_precision_takes_the_envelope():
    truth = [tube(name) for name in "ab"]
    predictions = [tube("x", score=0.9), tube("a", score=0.8), tube("b", score=0.7)]
    # Precisions 0, 1/2, 2/3; the envelope lifts the second to 2/3.
    assert spatial_localisation_map(truth, predictions, thresholds=(0.5,))[0.5] == pytest.approx(
        2 / 3
    )


def test_spatial_match_is_strictly_above_the_threshold():
    half = tube(frames=2)
    assert spatial_localisation_map([tube()], [half], thresholds=(0.5, 0.49)) == {0.5: 0, 0.49: 1}


def test_single_frames_can_be_evaluated():
    # Two of the four frames are covered, and nothing else is claimed: precision 1, recall 1/2.
    found = spatial_localisation_map([tube()], [tube(frames=2)], thresholds=(0.6,), level="frame")
    assert found == {0.6: 0.5}
    # A one-frame tube compared with a long true tube at the tube level.
    found = spatial_localisation_map([tube()], [tube(frames=1, start=2)], thresholds=(0.2,))
    assert found == {0.2: 1.0}
    found = spatial_localisation_map([tube(frames=1, start=2)], [tube()], thresholds=(0.2, 0.3))
    assert found == {0.2: 1.0, 0.3: 0.0}


def test_segments_from_attention():
    weights = np.array([0.1, 0.4, 0.5, 0.1, 0.1, 0.45, 0.1, 0.1])
    segments = attention_segments("a", 2, weights, 16.0, score=0.5)
    assert [(s.start, s.end) for s in segments] == [(2.0, 6.0), (10.0, 12.0)]
    assert segments[0].score == pytest.approx(0.5 * (0.75 + 1.0) / 2)
    # Relative to the highest, 0.3 of 0.5 passes; with the lowest subtracted first, it does not.
    weights = np.array([0.2, 0.3, 0.5])
    assert attention_segments("a", 0, weights, 3.0, normalisation="max")[0].start == 1.0
    assert attention_segments("a", 0, weights, 3.0)[0].start == 2.0
    steps = np.stack([weights, weights[::-1]])
    assert [s.end for s in attention_segments("a", 0, steps, 3.0)] == [1.0, 3.0]


def test_constant_attention_is_the_whole_video():
    for weights in (np.full(7, 1 / 7), np.zeros(7)):
        (segment,) = attention_segments("a", 0, weights, 5.0)
        assert (segment.start, segment.end, segment.score) == (0.0, 5.0, 1.0)


def test_segment_iou_by_hand():
    one = [VideoSegment("a", 0, 0, 4), VideoSegment("a", 0, 10, 10)]
    other = [VideoSegment("a", 0, 2, 6), VideoSegment("a", 0, 5, 6), VideoSegment("a", 0, 0, 4)]
    np.testing.assert_allclose(segment_iou(one, other), [[2 / 6, 0, 1], [0, 0, 0]])
    assert segment_iou([], other).shape == (0, 3)


def test_temporal_map_by_hand():
    truth = [VideoSegment("a", 0, 0, 10), VideoSegment("a", 0, 20, 30), VideoSegment("b", 1, 0, 4)]
    predictions = [
        VideoSegment("a", 0, 0, 10, 0.9),
        VideoSegment("a", 0, 0, 9, 0.8),  # A second match for the same true segment: wrong.
        VideoSegment("a", 0, 25, 35, 0.7),  # IoU 1/3.
        VideoSegment("b", 0, 0, 4, 0.6),  # The other class.
    ]
    found = temporal_localisation_map(truth, predictions, thresholds=(0.3, 0.4))
    # Right, wrong, right, wrong: (1 + 2/3) / 2, or 1 / 2; class 1 without predictions: 0.
    assert found[0.3] == pytest.approx((1 + 2 / 3) / 2 / 2)
    assert found[0.4] == pytest.approx(0.5 / 2)
    assert temporal_average_precisions(truth, predictions, classes=(0,))[0.1].keys() == {0}


def test_segments_shorter_than_a_second_and_the_default_thresholds():
    truth = [VideoSegment("a", 0, 1.0, 1.4)]
    predictions = [VideoSegment("a", 0, 1.0, 1.3, 0.9)]  # IoU 0.75
    found = temporal_localisation_map(truth, predictions)
    assert found == {0.1: 1.0, 0.2: 1.0, 0.3: 1.0, 0.4: 1.0, 0.5: 1.0}
    assert temporal_average_precisions(truth, predictions).keys() == found.keys()


def test_predictions_over_ambiguous_segments_are_ignored():
    truth = [VideoSegment("a", 0, 20, 30)]
    predictions = [VideoSegment("a", 0, 0, 5, 0.9), VideoSegment("a", 0, 20, 30, 0.8)]
    unsure = [VideoSegment("a", -1, 4, 8)]
    elsewhere = [VideoSegment("b", -1, 4, 8), VideoSegment("a", -1, 5, 8)]
    options = {"thresholds": (0.5,)}
    assert temporal_localisation_map(truth, predictions, **options) == {0.5: 0.5}
    assert temporal_localisation_map(truth, predictions, ambiguous=unsure, **options) == {0.5: 1.0}
    found = temporal_localisation_map(truth, predictions, ambiguous=elsewhere, **options)
    assert found == {0.5: 0.5}


def test_truth_chooses_the_prediction_of_highest_overlap_not_of_highest_score():
    truth = [VideoSegment("a", 0, 0, 10)]
    predictions = [VideoSegment("a", 0, 0, 6, 0.9), VideoSegment("a", 0, 0, 10, 0.1)]
    assert temporal_localisation_map(truth, predictions, thresholds=(0.5,)) == {0.5: 0.5}


def test_records_are_truth():
    boxes = np.ones((2, 4))
    records = [
        record.Record("a", "a.mp4", boxes=(record.Tube(1, 3, boxes),)),
        record.Record("b", "b.mp4", segments=(record.Segment(2, 0.5, 1.5),)),
    ]
    (found,) = true_tubes(records)
    assert (found.video, found.label, found.start) == ("a", 1, 3)
    assert true_segments(records) == [VideoSegment("b", 2, 0.5, 1.5)]


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="`start` must not be after `end`"):
        VideoSegment("a", 0, 2.0, 1.0)
    with pytest.raises(ValueError, match=r"shape \(frames, 4\)"):
        VideoTube("a", 0, 0, np.zeros((0, 4)))
    with pytest.raises(ValueError, match="sizes of at least 0"):
        VideoTube("a", 0, 0, [[5, 5, -1, 3]])
    with pytest.raises(ValueError, match="`truth` must hold"):
        spatial_localisation_map([], [tube()])
    with pytest.raises(ValueError, match="`truth` must hold"):
        temporal_localisation_map([], [])
    with pytest.raises(ValueError, match='must be "tube" or "frame"'):
        spatial_localisation_map([tube()], [tube()], level="video")
    with pytest.raises(ValueError, match="`duration` must be above 0"):
        attention_segments("a", 0, np.ones(3), 0.0)
    with pytest.raises(ValueError, match="must be finite"):
        attention_segments("a", 0, np.full(3, np.nan), 1.0)
