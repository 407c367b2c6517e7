import keras
import numpy as np
import pytest

from zoo.models import spatiotemporal_attention
from zoo.training.engine.state_file import build_optimizer

HEAD = {
    "num_classes": 3,
    "num_frames": 6,
    "backbone": None,
    "feature_shape": (3, 3, 8),
    "mask_filters": (4,),
    "filters": 5,
    "score_units": 6,
}
FEATURES = np.random.default_rng(0).normal(size=(4, 6, 3, 3, 8)).astype("float32")
LABELS = np.array([0, 1, 2, 1])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        *(
            pytest.param(changes, marks=pytest.mark.slow)
            for changes in (
                {"steps": 4},
                {"score": "sum", "tv": 0.0, "contrast": 0.0, "unimodality": 0.0},
                {"temporal_attention": False},
                {"spatial_attention": False, "score": "dot"},
                {"num_frames": None, "steps": 3, "multi_label": True},
            )
        ),
    ],
)
def test_variants_train_and_survive_saving(changes, tmp_path):
    options = {**HEAD, **changes}
    model = spatiotemporal_attention(**options)
    several = options.get("multi_label")
    loss = "binary_crossentropy" if several else "sparse_categorical_crossentropy"
    model.compile("adam", loss={"action": loss})
    build_optimizer(model)  # TensorFlow traces a step that creates variables twice
    labels = np.eye(3)[LABELS] if several else LABELS
    assert np.isfinite(model.fit(FEATURES, {"action": labels}, verbose=0).history["loss"][0])
    outputs = model.predict(FEATURES, verbose=0)
    assert outputs["action"].shape == (4, 3)
    assert ("spatial_attention" in outputs) == options.get("spatial_attention", True)
    if options.get("temporal_attention", True):
        assert outputs["temporal_attention"].shape == (4, options.get("steps", 6), 6)
        np.testing.assert_allclose(outputs["temporal_attention"].sum(-1), 1, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")(FEATURES)
    np.testing.assert_allclose(again["action"], outputs["action"], atol=1e-6)


def test_both_attentions_are_trained_and_no_gradient_is_nan():
    # Constant frames give constant weights, the case in which a square root has no gradient.
    model = spatiotemporal_attention(**HEAD)
    model.compile("sgd", loss={"action": "sparse_categorical_crossentropy"})
    build_optimizer(model)
    before = {w.path: keras.ops.convert_to_numpy(w) for w in model.trainable_weights}
    model.fit(np.ones_like(FEATURES), {"action": LABELS}, verbose=0)
    for weight in model.trainable_weights:
        assert np.isfinite(keras.ops.convert_to_numpy(weight)).all(), weight.path
    model.fit(FEATURES, {"action": LABELS}, epochs=2, verbose=0)
    for part in ("attention/key", "attention/query", "spatial/conv_0", "spatial/mask"):
        moved = [
            np.abs(keras.ops.convert_to_numpy(w) - before[w.path]).max()
            for w in model.trainable_weights
            if part in w.path and "kernel" in w.path
        ]
        assert moved and min(moved) > 0, part


def test_padding_changes_nothing():
    model = spatiotemporal_attention(**HEAD, padded=True)
    present = np.ones((4, 6), "float32")
    present[:, 4:] = 0
    one = model.predict([FEATURES, present], verbose=0)
    other = FEATURES.copy()
    other[:, 4:] = 7.0
    two = model.predict([other, present], verbose=0)
    np.testing.assert_allclose(one["action"], two["action"], atol=1e-5)
    assert not one["temporal_attention"][:, :, 4:].any()
    nothing = model.predict([FEATURES, np.zeros((4, 6))], verbose=0)
    assert all(np.isfinite(value).all() for value in nothing.values())


@pytest.mark.slow
def test_unimodality_makes_the_mean_weights_more_unimodal():
    violations = []
    for weight in (0.0, 1000.0):
        keras.utils.set_random_seed(1)
        model = spatiotemporal_attention(**HEAD, unimodality=weight, tv=0, contrast=0)
        for w in model.trainable_weights:  # sharp initial weights
            if "energy" in w.path or "attention/key" in w.path:
                w.assign(3 * keras.ops.convert_to_numpy(w))
        model.compile(
            keras.optimizers.Adam(0.02), loss={"action": "sparse_categorical_crossentropy"}
        )
        build_optimizer(model)
        model.fit(FEATURES, {"action": LABELS}, epochs=25, verbose=0)
        w = model.predict(FEATURES, verbose=0)["temporal_attention"].mean(axis=1)
        violations.append(np.maximum(0, w[:, :-2] * w[:, 2:] - w[:, 1:-1] ** 2).sum())
    assert violations[1] < 0.5 * violations[0]


def test_parameter_count_at_the_papers_size_is_its_closed_form():
    d, f, u, classes = 2048, 512, 512, 51
    mask = 9 * (d * 1024 + 1024 * 512 + 512) + 1024 + 512 + 1 + 4 * (1024 + 512)
    recurrence = 9 * (d + f) * 4 * f + 4 * f + d * u + (f + 1) * u + u
    initial = 2 * (9 * d * f + f + 9 * f * f + f + 8 * f)
    with keras.StatelessScope():  # allocates no memory for 90 million weights
        model = spatiotemporal_attention(backbone=None)
    found = sum(int(np.prod(w.shape)) for w in model.weights)
    assert found == mask + recurrence + initial + (f + 1) * classes


def test_errors():
    with pytest.raises(ValueError, match="`steps` must not be given"):
        spatiotemporal_attention(**HEAD, temporal_attention=False, steps=3)
    with pytest.raises(ValueError, match="`score` must be one of"):
        spatiotemporal_attention(**{**HEAD, "score": "product"})
    with pytest.raises(ValueError, match="`steps` must be given"):
        spatiotemporal_attention(**{**HEAD, "num_frames": None})
