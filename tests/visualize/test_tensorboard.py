from __future__ import annotations

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import zoo
from zoo.visualize.tensorboard import Sample, TensorBoard


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    return events


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    rng = np.random.default_rng(0)
    inputs = rng.random((4, 6, 5)).astype("float32")
    gaze = rng.random((4, 6, 3, 2)).astype("float32")
    features = keras.Input((None, 5))
    head = zoo.layers.MixtureDensity(4, name="mixture")(features)
    model = keras.Model(features, {"mixture": head})
    model.compile(keras.optimizers.Adam(0.125), loss={"mixture": zoo.losses.MixtureNLL()})
    frames = np.full((2, 24, 32, 3), 90, np.uint8)
    fixations = np.full((2, 2, 2), np.nan)
    fixations[0, 0] = 0.5
    sample = Sample("a video", inputs[:1], frames, [1, 5], fixations)
    board = TensorBoard(folder, samples=[sample], configuration={"units": 256, "cell": "lstm"})
    history = model.fit(
        inputs, {"mixture": gaze}, validation_split=0.25, epochs=2, verbose=0, callbacks=[board]
    )
    return folder, history.history, board


def test_losses_and_learning_rate(logs):
    folder, history, _ = logs
    train, validation = read(folder / "train"), read(folder / "validation")
    assert [event.step for event in train.Scalars("loss")] == [1, 2]
    np.testing.assert_allclose([e.value for e in train.Scalars("loss")], history["loss"], 1e-6)
    np.testing.assert_allclose(
        [e.value for e in validation.Scalars("loss")], history["val_loss"], 1e-6
    )
    assert [event.value for event in train.Scalars("learning_rate")] == [0.125, 0.125]


def test_overlays_of_fixed_frames(logs):
    folder, _, _ = logs
    events = read(folder / "validation").Images("a video")
    assert [event.step for event in events] == [1, 2]
    assert (events[0].height, events[0].width) == (192, 512)
    assert events[0].encoded_image_string != events[1].encoded_image_string


def test_the_gaze_is_drawn(logs):
    _, _, board = logs
    picture = board.draw(board.samples[0])
    assert picture[96, 128].min() > 200  # the white dot at the first frame's centre
    assert picture[96, 256 + 128].min() < 200


def test_the_configuration_as_text(logs):
    folder, _, _ = logs
    events = read(folder / "train")
    text = events.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| units | 256 |" in text
    assert '| cell | "lstm" |' in text


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="image_epochs=0"):
        TensorBoard(tmp_path, image_epochs=0)
