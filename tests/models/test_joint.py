import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.layers import mixture_log_prob

TINY = {
    "num_classes": 3,
    "backbone": None,
    "feature_shape": (4, 4, 5),
    "dense": True,
    "units": 6,
    "num_components": 2,
    "dropout": 0.0,
    "action_dropout": 0.0,
}
CLIPS = {"num_classes": 3, "image_size": 32, "width": 1 / 32, "units": 4, "num_components": 2}


def features(batch=2, steps=5, seed=0):
    return np.random.default_rng(seed).uniform(size=(batch, steps, 4, 4, 5)).astype("float32")


def gaze(batch=2, steps=5):
    return np.random.default_rng(1).uniform(size=(batch, steps, 3, 2)).astype("float32")


def compiled(optimizer="sgd", **options):
    model = zoo.joint(**{**TINY, **options})
    model.compile(
        optimizer,
        loss={
            "mixture": zoo.losses.MixtureNLL("mean"),
            "action": "sparse_categorical_crossentropy",
        },
        jit_compile=False,
    )
    return model


def targets():
    return {"mixture": gaze(), "action": np.array([0, 2])}


@pytest.mark.parametrize("attend", ["feature", "clip", None])
@pytest.mark.parametrize("dense", [False, True])
def test_shapes_from_frames(attend, dense):
    model = zoo.joint(attend=attend, dense=dense, feedback=dense, **CLIPS)
    video = np.random.default_rng(0).integers(0, 256, (1, 18, 32, 32, 3), "uint8")
    found = model(video)
    assert set(found) == {"mixture", "action"}
    assert tuple(found["mixture"].shape) == (1, 18 if dense else 3, 2, 6)
    assert tuple(found["action"].shape) == (1, 3)
    assert float(ops.sum(found["action"])) == pytest.approx(1.0, abs=1e-5)


def test_saliency_is_that_of_rmdn_with_the_same_weights():
    model = zoo.joint(**CLIPS)
    options = {k: v for k, v in CLIPS.items() if k != "num_classes"}
    other = zoo.rmdn(**options)
    for name in ("backbone", "recurrent_0", "mixture"):
        other.get_layer(name).set_weights(model.get_layer(name).get_weights())
    video = np.random.default_rng(0).integers(0, 256, (1, 18, 32, 32, 3), "uint8")
    one, two = (ops.convert_to_numpy(m(video)["mixture"]) for m in (model, other))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_attended_branch_is_the_expected_feature_under_the_saliency():
    model = zoo.joint(**TINY)
    cut = keras.Model(
        model.input, [model.get_layer(n).output for n in ("steps", "mixture", "weighting")]
    )
    x = features()
    steps, _, weighted = (ops.convert_to_numpy(t) for t in cut(x))
    np.testing.assert_allclose(steps[..., :5], x.mean((2, 3)), atol=1e-5)
    np.testing.assert_allclose(steps[..., 5:], weighted.mean((2, 3)), atol=1e-5)
    constant = np.ones((1, 5, 4, 4, 5), "float32")
    assert ops.convert_to_numpy(cut(constant)[0]) == pytest.approx(1.0, abs=1e-3)


def test_clip_mode_sees_only_salient_places():
    """With all saliency in one corner, motion in the other does not affect that branch."""
    model = zoo.joint(attend="clip", dense=True, **CLIPS)
    head = model.get_layer("mixture")
    kernel, bias = head.get_weights()
    kernel[:] = 0
    bias = bias.reshape(2, 6)
    bias[:, 1:3], bias[:, 3:5] = 0.1, -9.0
    head.set_weights([kernel, bias.reshape(-1)])
    cut = keras.Model(model.input, model.get_layer("attended").output)
    context = keras.Model(model.input, model.get_layer("context").output)
    video = np.random.default_rng(0).integers(0, 256, (1, 18, 32, 32, 3)).astype("float32")
    other = video.copy()
    other[:, :, 24:, 24:] = 0
    np.testing.assert_allclose(
        ops.convert_to_numpy(cut(video)), ops.convert_to_numpy(cut(other)), atol=1e-5
    )
    change = ops.convert_to_numpy(context(video)) - ops.convert_to_numpy(context(other))
    assert np.abs(change).max() > 1e-4


def changed_by(model, batch, weights):
    before = {v.path: ops.convert_to_numpy(v.value) for v in model.trainable_variables}
    logs = model.train_on_batch(*batch, sample_weight=weights, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    after = {v.path: ops.convert_to_numpy(v.value) for v in model.trainable_variables}
    return {name for name in before if np.abs(after[name] - before[name]).max() > 0}


@pytest.mark.slow
def test_both_losses_train_the_trunk_except_on_samples_without_targets():
    ones, zeros = np.ones(2, "float32"), np.zeros(2, "float32")
    video = np.random.default_rng(0).uniform(0, 255, (2, 17, 32, 32, 3)).astype("float32")
    unwatched = np.full((2, 2, 3, 2), np.nan, "float32")
    for mixture, action in ((ones, zeros), (zeros, ones), (zeros, zeros)):
        keras.utils.set_random_seed(0)
        model = zoo.joint(preprocessing="rgb_unit", **CLIPS)
        model.compile(
            keras.optimizers.SGD(0.1),
            loss={
                "mixture": zoo.losses.MixtureNLL("mean"),
                "action": keras.losses.SparseCategoricalCrossentropy(),
            },
            jit_compile=False,
        )
        points = gaze(2, 2) if mixture.any() else unwatched
        batch = (video, {"mixture": points, "action": np.array([0, 2])})
        changed = changed_by(model, batch, {"mixture": mixture, "action": action})
        assert any("conv1a" in name for name in changed) == bool(mixture.any() or action.any())
        assert any(name.startswith("action") for name in changed) == bool(action.any())


def test_attention_gradient_false_keeps_the_action_from_training_the_saliency():
    weights = {"mixture": np.zeros(2, "float32"), "action": np.ones(2, "float32")}
    for passes in (True, False):
        keras.utils.set_random_seed(0)
        model = compiled(keras.optimizers.SGD(0.1), attention_gradient=passes)
        changed = changed_by(model, (features(), targets()), weights)
        assert any(name.startswith("mixture") for name in changed) == passes


def test_learned_uncertainty():
    model = compiled(keras.optimizers.SGD(0.1), uncertainty=True)
    x, y = features(), targets()
    found = model(x)
    nll = -float(ops.mean(mixture_log_prob(found["mixture"], y["mixture"])))
    entropy = -float(np.mean(np.log(ops.convert_to_numpy(found["action"])[[0, 1], [0, 2]])))
    layer = model.uncertainty
    layer.log_variance.assign([0.3, -0.2])
    logs = model.train_on_batch(x, y, return_dict=True)
    wanted = nll * np.exp(-0.3) + 0.3 + entropy * np.exp(0.2) - 0.2
    assert logs["loss"] == pytest.approx(wanted, rel=1e-4)
    assert logs["mixture_loss"] == pytest.approx(nll, rel=1e-4)
    assert logs["action_loss"] == pytest.approx(entropy, rel=1e-4)
    # The gradient of exp(-s) L + s is 1 - exp(-s) L.
    s = ops.convert_to_numpy(layer.log_variance.value)
    assert s[0] == pytest.approx(0.3 - 0.1 * (1 - nll * np.exp(-0.3)), rel=1e-3)


def test_pooling():
    x = features()
    for pooling in ("max", "mean", "attention"):
        model = zoo.joint(pooling=pooling, action_units=7, **TINY)
        found = model(x)
        assert ("temporal_attention" in found) == (pooling == "attention")
        longer = model(np.concatenate([x, x], axis=1) if pooling != "attention" else x)
        if pooling == "attention":
            total = ops.convert_to_numpy(ops.sum(found["temporal_attention"], axis=1))
            assert total == pytest.approx([1.0, 1.0], abs=1e-5)
            assert model.get_layer("temporal").unimodality == 1.0
        else:
            assert longer["action"].shape == found["action"].shape
    flipped = ops.convert_to_numpy(
        zoo.joint(attend=None, pooling="max", **TINY)(x[:, ::-1])["action"]
    )
    assert flipped.shape == (2, 3)


def test_central_bias_widens_the_attention_but_not_the_output():
    keras.utils.set_random_seed(0)
    plain = zoo.joint(**TINY)
    model = zoo.joint(central_bias=2, **TINY)
    for layer in plain.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.get_weights())
    x = features()
    one, two = plain(x), model(x)
    np.testing.assert_allclose(
        ops.convert_to_numpy(one["mixture"]), ops.convert_to_numpy(two["mixture"]), atol=1e-6
    )
    assert np.abs(ops.convert_to_numpy(one["action"] - two["action"])).max() > 1e-6


@pytest.mark.slow
def test_teacher_forcing_does_not_change_the_weights():
    model = zoo.joint(feedback=True, **TINY)
    taught = compiled(feedback=True, teacher_forcing=True)
    taught.set_weights(model.get_weights())
    x, none = features(), np.full((2, 5, 1, 2), np.nan, "float32")
    one = ops.convert_to_numpy(model(x)["mixture"])
    two = ops.convert_to_numpy(taught({"features": x, "fixations": none})["mixture"])
    np.testing.assert_allclose(one, two, atol=1e-6)
    logs = taught.train_on_batch({"features": x, "fixations": gaze()}, targets(), return_dict=True)
    assert np.isfinite(logs["loss"])


def test_several_labels():
    model = zoo.joint(multi_label=True, **TINY)
    model.compile("sgd", loss={"action": "binary_crossentropy"}, jit_compile=False)
    hot = np.array([[1, 0, 1], [0, 1, 0]], "float32")
    assert np.isfinite(model.train_on_batch(features(), {"action": hot}))


def test_saved_and_reloaded_gives_the_same(tmp_path):
    for options in ({"uncertainty": True, "central_bias": 2}, {"feedback": True}):
        model = zoo.joint(pooling="attention", **TINY, **options)
        if options.get("central_bias"):
            model.get_layer("central_bias").set_bias(np.full((2, 6), 0.3, "float32"))
        model.save(tmp_path / "joint.keras")
        again = zoo.load(tmp_path / "joint.keras")
        assert type(again) is type(model)
        one, two = model(features()), again(features())
        for name in one:
            np.testing.assert_array_equal(*(ops.convert_to_numpy(o[name]) for o in (one, two)))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"attend": "pixel"}, "`attend` must be one of"),
        ({"pooling": "sum"}, "`pooling` must be one of"),
        ({"cell": None, "feedback": True}, "used with a recurrence"),
        ({"teacher_forcing": True}, "used with `feedback`"),
        ({"attend": "clip"}, "used with a backbone"),
        ({"attend": None, "central_bias": 2}, "`central_bias`"),
        ({"feature_shape": (9,)}, "features must be maps"),
        ({"num_classes": 1}, "`num_classes` must be at least 2"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"local": True, "feedback": True}, "Only one of `feedback` and `local`"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        zoo.joint(**{**TINY, **options})


def test_a_task_of_weight_zero_is_not_trained_with_uncertainty_either():
    model = zoo.joint(**TINY, uncertainty=True, attention_gradient=False)
    losses = {"mixture": zoo.losses.MixtureNLL("mean"), "action": "sparse_categorical_crossentropy"}
    model.compile("sgd", loss=losses, loss_weights={"mixture": 1.0, "action": 0.0})
    action, mixture = (model.get_layer(name) for name in ("action", "mixture"))
    before = [action.get_weights(), mixture.get_weights()]
    history = model.fit(features(), targets(), epochs=2, verbose=0).history
    assert all(np.array_equal(*pair) for pair in zip(before[0], action.get_weights()))
    assert not np.array_equal(before[1][0], mixture.get_weights()[0])
    seen, unseen = ops.convert_to_numpy(model.uncertainty.log_variance)
    assert seen != 0 and unseen == 0
    assert history["action_loss"][0] > 0
