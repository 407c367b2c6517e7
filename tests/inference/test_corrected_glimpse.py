import keras
import numpy as np
import pytest

from zoo.inference.actions.corrected_glimpse import corrected_glimpse
from zoo.losses import StepCrossEntropy
from zoo.models import soft_attention


@pytest.mark.slow
def test_the_glimpse_moves_and_the_model_stays():
    # Two places show the two classes: the predicted one depends on where the model looks.
    keras.utils.set_random_seed(3)
    video = np.zeros((1, 4, 1, 2, 2), "float32")
    video[..., 0, 0] = video[..., 1, 1] = 1.0
    model = soft_attention(
        num_classes=2,
        num_frames=4,
        backbone=None,
        feature_shape=(1, 2, 2),
        units=6,
        num_layers=1,
        dropout=0.2,
    )
    one = np.zeros((2, 4, 1, 2, 2), "float32")
    one[0, ..., 0], one[1, ..., 1] = 1.0, 1.0  # class 0 if both places have the first feature
    model.compile(keras.optimizers.Adam(0.02), loss={"action": StepCrossEntropy()})
    model.fit(one, {"action": np.array([0, 1])}, epochs=60, verbose=0)
    before = model.get_weights()
    named = int(model.predict(video, verbose=0)["action"][0].mean(0).argmax())
    glimpse = corrected_glimpse(model, video, 1 - named, steps=200, learning_rate=0.1)
    assert glimpse.found
    assert int(glimpse.action["before"].argmax()) == named
    assert int(glimpse.action["after"].argmax()) == 1 - named
    moved = glimpse.attention["after"] - glimpse.attention["before"]
    assert moved[1:, 0, 1 - named].mean() > 0
    for old, new in zip(before, model.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_errors():
    model = soft_attention(
        num_classes=2, backbone=None, feature_shape=(2, 2, 3), units=3, attention="additive"
    )
    with pytest.raises(ValueError, match="has location weights"):
        corrected_glimpse(model, np.zeros((1, 30, 2, 2, 3)), 0)
    model = soft_attention(num_classes=2, backbone=None, feature_shape=(2, 2, 3), units=3)
    with pytest.raises(ValueError, match="`label` must be"):
        corrected_glimpse(model, np.zeros((1, 30, 2, 2, 3)), 2)
