import numpy as np
import pytest

from zoo.datasets import moving_targets
from zoo.datasets.video.reading import open_video
from zoo.training.action_scores import action_tubes, localisation, weight_in_segments
from zoo.training.action_videos import ActionVideo, predict_videos


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("scores") / "data"
    records = moving_targets.make(
        root, num_videos=4, frames=40, size=(56, 56), viewers=1, action_share=(0.25, 0.25)
    )
    return [ActionVideo(r, np.zeros((40, 1)), r.label) for r in records]


def perfect(video):
    """What a model would give that looks at the target alone, while it acts alone."""
    fps = open_video(video.record.video).fps
    segment = video.record.segments[0]
    times = (np.arange(40) + 0.5) / fps
    inside = (times >= segment.start) & (times < segment.end)
    masks = np.zeros((40, 56, 56), "float32")
    for mask, (x, y, width, height) in zip(masks, video.record.boxes[0].boxes):
        left, top = max(0, round(x)), max(0, round(y))
        mask[top : round(y + height), left : round(x + width)] = 0.9
    return {
        "action": np.eye(7)[video.target],
        "temporal_attention": np.tile(inside / inside.sum(), (3, 1)),
        "spatial_attention": masks,
    }


def test_perfect_attention_scores_one_and_simple_guesses_do_not(videos):
    values = localisation(videos, [perfect(video) for video in videos])
    assert values["temporal_map"] == 1.0 and values["spatial_map"] == 1.0
    # An action of a quarter of the video overlaps the whole of it by 0.25, below 0.3.
    assert values["whole_video_map"] == 0.0
    assert values["centre_box_map"] < 0.5
    assert values["weight_in_segments"] == pytest.approx(4.0)


def test_a_wrong_action_is_a_wrong_segment_and_a_wrong_box(videos):
    outputs = [perfect(video) for video in videos]
    for video, found in zip(videos, outputs):
        found["action"] = np.eye(7)[(video.target + 1) % 7]
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


def test_the_true_boxes_are_those_of_the_target_while_it_acts(videos):
    record = videos[0].record
    (tube,) = action_tubes(record, 25.0)
    assert tube.label == record.label and len(tube.boxes) == 10
    assert tube.start == round(record.segments[0].start * 25)
    np.testing.assert_allclose(tube.boxes[0], record.boxes[0].boxes[tube.start])
    even = weight_in_segments(record, np.full(40, 0.1), 0.0, 40 / 25)
    assert even == pytest.approx(1.0)


class Echo:
    """A model that names what it is given: of each frame the number it holds."""

    def predict(self, given, **_):
        return {"action": np.stack([given, given + 1], -1), "spatial_attention": given}


def test_blocks_are_averaged_and_their_maps_joined(videos):
    video = ActionVideo(videos[0].record, np.arange(7.0), 0)
    (found,) = predict_videos(Echo(), [video], 4, sampling="block", stride=2, batch_size=2)
    # Blocks 0-3 and 2-5.
    np.testing.assert_allclose(found["action"], [2.5, 3.5])
    np.testing.assert_allclose(found["spatial_attention"], [0, 1, 2, 3, 4, 5])
    two = predict_videos(Echo(), [video, video], 7, sampling="spread")
    assert len(two) == 2
    np.testing.assert_allclose(two[1]["action"], [3, 4])
