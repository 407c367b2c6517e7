import dataclasses

import keras
import numpy as np
import pytest

from zoo.datasets import Action, Features, Samples, Segments, Windows, moving_targets
from zoo.datasets.shards.prepare import prepare
from zoo.datasets.shards.reading import load
from zoo.datasets.shards.streams import FrameStream
from zoo.datasets.video.reading import open_video
from zoo.training.actions import scores as action_scores
from zoo.training.actions.predictions import predict_videos
from zoo.training.actions.scores import action_tubes, localisation, weight_in_segments


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("scores") / "data"
    return moving_targets.make(
        root, num_videos=4, frames=40, size=(56, 56), viewers=1, action_share=(0.25, 0.25)
    )


def perfect(record):
    """Output of a model that attends only to the target, and only during its action."""
    fps = open_video(record.video).fps
    segment = record.segments[0]
    times = (np.arange(40) + 0.5) / fps
    inside = (times >= segment.start) & (times < segment.end)
    masks = np.zeros((40, 56, 56), "float32")
    for mask, (x, y, width, height) in zip(masks, record.boxes[0].boxes):
        left, top = max(0, round(x)), max(0, round(y))
        mask[top : round(y + height), left : round(x + width)] = 0.9
    return {
        "action": np.eye(7)[record.label],
        "temporal_attention": np.tile(inside / inside.sum(), (3, 1)),
        "spatial_attention": masks,
    }


def test_perfect_attention_scores_one_and_simple_guesses_do_not(videos):
    values = localisation(videos, [perfect(video) for video in videos])
    assert values["temporal_map"] == 1.0 and values["spatial_map"] == 1.0
    # An action in a quarter of the video overlaps the whole video by 0.25, below 0.3.
    assert values["whole_video_map"] == 0.0
    assert values["centre_box_map"] < 0.5
    assert values["weight_in_segments"] == pytest.approx(4.0)


def test_a_part_of_a_video_is_scored_at_its_place(videos):
    parts, outputs = [], []
    for video in videos:
        fps = open_video(video.video).fps
        first = round(video.segments[0].start * fps) // 2
        part = dataclasses.replace(video, start=first / fps, end=(first + 30) / fps)
        found = perfect(video)
        found["spatial_attention"] = found["spatial_attention"][first : first + 30]
        weights = found["temporal_attention"][:, first : first + 30]
        found["temporal_attention"] = weights / weights.sum(1, keepdims=True)
        parts.append(part)
        outputs.append(found)
    assert any(part.start for part in parts)
    values = localisation(parts, outputs)
    assert values["temporal_map"] == 1.0 and values["spatial_map"] == 1.0
    assert values["weight_in_segments"] == pytest.approx(3.0)


def test_the_centre_box_has_the_true_boxes_size_in_the_middle():
    shape = (40, 60)
    boxes = action_scores._boxes(np.ones((2, 40, 60)), shape, 5, np.array([20.0, 10.0]))
    np.testing.assert_array_equal(boxes["centre_box_map"], [[20, 15, 20, 10]] * 5)


def test_each_mask_covers_its_share_of_the_frames():
    masks = np.zeros((2, 40, 60))
    masks[0, :10, :10] = masks[1, 30:, 50:] = 1
    shape = (40, 60)
    boxes = action_scores._boxes(masks, shape, 5, np.array([20.0, 10.0]))["spatial_map"]
    assert boxes[:, 0].tolist() == [0, 0, 0, 50, 50]  # frames 0 to 2 lie in the first half


def test_a_wrong_action_is_a_wrong_segment_and_a_wrong_box(videos):
    outputs = [perfect(video) for video in videos]
    for video, found in zip(videos, outputs):
        found["action"] = np.eye(7)[(video.label + 1) % 7]
    values = localisation(videos, outputs)
    assert values["temporal_map"] == 0.0 and values["spatial_map"] == 0.0


def test_boxes_of_a_softmax_need_scaling(videos):
    outputs = [perfect(video) for video in videos]
    for found in outputs:
        found["spatial_attention"] = found["spatial_attention"] / 100
    values = localisation(videos, outputs)
    assert values["spatial_map"] == 0.0 and values["spatial_map_scaled"] == 1.0


def test_without_temporal_attention_there_is_no_temporal_score(videos):
    outputs = [perfect(video) for video in videos]
    for found in outputs:
        del found["temporal_attention"]
    values = localisation(videos, outputs)
    assert "temporal_map" not in values
    assert 0 < values["spatial_map"] < 1  # boxes beyond the action are wrong


def test_without_boxes_or_spatial_attention_there_is_no_spatial_score(videos):
    unboxed = [dataclasses.replace(video, boxes=(), dataset="other") for video in videos]
    values = localisation(unboxed, [perfect(video) for video in videos])
    assert values["temporal_map"] == 1.0 and "spatial_map" not in values
    outputs = [perfect(video) for video in videos]
    for found in outputs:
        del found["spatial_attention"]
    values = localisation(videos, outputs)
    assert values["temporal_map"] == 1.0 and "spatial_map" not in values


def test_the_true_boxes_are_those_of_the_target_while_it_acts(videos):
    record = videos[0]
    (tube,) = action_tubes(record, 25.0)
    assert tube.label == record.label and len(tube.boxes) == 10
    assert tube.start == round(record.segments[0].start * 25)
    np.testing.assert_allclose(tube.boxes[0], record.boxes[0].boxes[tube.start])
    even = weight_in_segments(record, np.full(40, 0.1), 0.0, 40 / 25)
    assert even == pytest.approx(1.0)


class Store:
    """Row t of every video holds the number t."""

    def __init__(self):
        self.about = {"shape": [1], "clip_length": 1, "hop": 1}

    def rows(self, record):
        return np.arange(7, dtype="float16")[:, None]


class Echo(keras.Model):
    """Returns its input: the number in each step."""

    def call(self, given):
        numbers = given[..., 0]
        return {
            "action": keras.ops.stack([numbers, numbers + 1], -1),
            "spatial_attention": numbers,
        }


def test_blocks_are_averaged_and_their_maps_joined(videos, tmp_path):
    def predict(sampling):
        inputs = [Features(Store())]
        samples = Samples(videos[:2], sampling, inputs=inputs, targets=[Action(7)], cache=tmp_path)
        return predict_videos(Echo(), samples, 2)

    found, _ = predict(Windows(4, hop=2))
    # Blocks 0-3, 2-5 and the last, 3-6.
    np.testing.assert_allclose(found["action"], [19 / 6, 25 / 6], rtol=1e-6)
    np.testing.assert_allclose(found["spatial_attention"], range(7))
    _, spread = predict(Segments(7))
    np.testing.assert_allclose(spread["action"], [3, 4])


def test_boxes_are_in_pixels_of_the_video_also_in_shards(videos, tmp_path):
    prepare(videos, tmp_path, [FrameStream((28, 28))], workers=1)
    stored = {record.name: record for record in load(tmp_path)}
    outputs = [perfect(video) for video in videos]
    values = localisation([stored[video.name] for video in videos], outputs)
    assert values == localisation(videos, outputs)
