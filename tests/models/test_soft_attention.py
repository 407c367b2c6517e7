import keras
import numpy as np
import pytest

from zoo.backbones import small_cnn
from zoo.losses import StepCrossEntropy, step_cross_entropy
from zoo.models import frame_baseline, soft_attention
from zoo.training.engine.state_file import build_optimizer

HEAD = {"backbone": None, "feature_shape": (3, 3, 8), "num_classes": 3, "num_frames": 6}
FEATURES = np.random.default_rng(0).normal(size=(4, 6, 3, 3, 8)).astype("float32")
LABELS = np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    "attention",
    [
        "location",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("additive", "average", "max")),
    ],
)
def test_variants_train_and_survive_saving(attention, tmp_path):
    model = soft_attention(**HEAD, units=5, num_layers=2, attention=attention, penalty=1.0)
    model.compile("adam", loss={"action": StepCrossEntropy(reduction="sum")})
    build_optimizer(model)  # TensorFlow traces a step that creates variables twice
    loss = model.fit(FEATURES, {"action": LABELS}, verbose=0).history["loss"][0]
    assert np.isfinite(loss)
    outputs = model.predict(FEATURES, verbose=0)
    np.testing.assert_allclose(outputs["action"].sum(-1), 1, rtol=1e-5)
    if attention in ("location", "additive"):
        np.testing.assert_allclose(outputs["spatial_attention"].sum((2, 3)), 1, rtol=1e-5)
    else:
        assert set(outputs) == {"action"}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")(FEATURES)
    np.testing.assert_allclose(again["action"], outputs["action"], atol=1e-6)


@pytest.mark.slow
def test_penalty_spreads_the_attention():
    totals = []
    for penalty in (0.0, 10.0):
        keras.utils.set_random_seed(0)
        model = soft_attention(**HEAD, units=5, num_layers=1, penalty=penalty, dropout=0.0)
        kernel = model.get_layer("recurrent").locate.location_kernel
        kernel.assign(20 * keras.ops.convert_to_numpy(kernel))  # looks at one place
        loss = {"action": StepCrossEntropy()}
        model.compile(keras.optimizers.Adam(0.05), loss=loss)
        build_optimizer(model)
        model.fit(FEATURES, {"action": LABELS}, epochs=30, verbose=0)
        looked = model.predict(FEATURES, verbose=0)["spatial_attention"].sum(axis=1)
        totals.append(np.square(1 - looked).sum())
    assert totals[1] < 0.7 * totals[0]


def test_weight_decay_is_the_sum_of_the_squared_matrices():
    model = soft_attention(**HEAD, units=5, num_layers=1, weight_decay=0.5)
    matrices = [w for w in model.weights if len(w.shape) > 1]
    squares = sum(float(keras.ops.sum(keras.ops.square(w))) for w in matrices)
    assert float(sum(model.losses)) == pytest.approx(0.5 * squares, rel=1e-5)


def test_frames_are_passed_through_the_backbone():
    video = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16, 3)).astype("uint8")
    backbone = small_cnn(image_size=16, filters=(4, 6))
    model = soft_attention(num_classes=3, num_frames=3, backbone=backbone, units=5, num_layers=1)
    outputs = model.predict(video, verbose=0)
    assert outputs["spatial_attention"].shape == (2, 3, 4, 4)
    head = soft_attention(
        num_classes=3, num_frames=3, backbone=None, feature_shape=(4, 4, 6), units=5, num_layers=1
    )
    head.set_weights(model.get_weights()[-len(head.weights) :])
    features = backbone.predict(video.reshape(6, 16, 16, 3), verbose=0).reshape(2, 3, 4, 4, 6)
    expected = head.predict(features, verbose=0)["action"]
    np.testing.assert_allclose(outputs["action"], expected, atol=1e-5)
    assert not backbone.trainable_weights and model.trainable_weights


def test_baselines():
    for features, weights in (("cube", 72 * 3 + 3), ("mean", 8 * 3 + 3)):
        model = frame_baseline(**HEAD, features=features)
        assert model.count_params() == weights
        assert model.predict(FEATURES, verbose=0)["action"].shape == (4, 6, 3)
    averaged = frame_baseline(**HEAD, features="mean", average=True)
    each = frame_baseline(**HEAD, features="mean")
    each.set_weights(averaged.get_weights())
    expected = each.predict(FEATURES, verbose=0)["action"].mean(axis=1)
    found = averaged.predict(FEATURES, verbose=0)["action"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_step_cross_entropy_of_worked_cases():
    probabilities = np.array([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]], "float32")
    found = float(step_cross_entropy(np.array([1]), probabilities)[0])
    assert found == pytest.approx(-np.log(0.25) - np.log(0.8), rel=1e-5)
    several = float(step_cross_entropy(np.array([[1, 1, 0]]), probabilities, multi_label=True)[0])
    expected = -np.log([0.5, 0.25, 0.75]).sum() - np.log([0.1, 0.8, 0.9]).sum()
    assert several == pytest.approx(expected, rel=1e-5)
    sure = np.array([[[1.0, 0.0, 0.0]]], "float32")
    assert np.isfinite(float(step_cross_entropy(np.array([1]), sure)[0]))


def test_labels_outside_the_classes():
    for label in (-1, 3):
        with pytest.raises(ValueError, match=r"must be class indices from 0 to 2.*Received: \["):
            step_cross_entropy(np.array([0, label]), np.ones((2, 2, 3), "float32") / 3)
        model = soft_attention(**HEAD, units=5, num_layers=1)
        model.compile("sgd", loss={"action": StepCrossEntropy()})
        loss = model.test_on_batch(FEATURES, {"action": np.array([0, 1, 2, label])})
        assert np.isinf(np.asarray(loss)).any()
    # More classes in the targets than the model has, and fewer.
    for classes in (2, 4):
        with pytest.raises(ValueError, match=r"multi-hot, \(batch, 3\)"):
            step_cross_entropy(np.eye(classes), np.ones((classes, 2, 3)) / 3, multi_label=True)


def test_errors():
    with pytest.raises(ValueError, match="one class index per video"):
        step_cross_entropy(np.eye(3), np.ones((3, 2, 3)) / 3)
    with pytest.raises(ValueError, match="must be multi-hot"):
        step_cross_entropy(np.array([1, 2]), np.ones((2, 2, 3)) / 3, multi_label=True)
    with pytest.raises(ValueError, match="`num_classes` must be at least 2"):
        soft_attention(num_classes=1, backbone=None)
    with pytest.raises(ValueError, match="`backbone` must be one of"):
        soft_attention(backbone="vgg")
    with pytest.raises(ValueError, match="must map a frame"):
        soft_attention(backbone=keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]))
    with pytest.raises(ValueError, match="`num_frames` must be"):
        soft_attention(num_frames=0, backbone=None)
