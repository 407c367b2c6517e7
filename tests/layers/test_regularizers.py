import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.gradients import gradient
from zoo.layers import Contrast, SpatialMask, TotalVariation

MASK = np.array([[0.1, 0.4, 0.8], [0.9, 0.3, 0.2]], "float32")


def test_total_variation_of_a_worked_case():
    # across: .3 + .4 + .6 + .1 = 1.4; down: .8 + .1 + .6 = 1.5
    assert float(TotalVariation(1.0)(MASK)) == pytest.approx(2.9, abs=1e-6)
    assert float(TotalVariation(1e-2, axes=(-3, -2))(MASK[..., None])) == pytest.approx(0.029)


def test_total_variation_gradient_of_a_worked_case():
    # The first place is below its right and lower neighbours: both differences shrink as it grows.
    expected = [[-2.0, 1.0 - 1.0 + 1.0, 1.0 + 1.0], [1.0 + 1.0, -1.0 + 1.0 - 1.0, -1.0 - 1.0]]
    np.testing.assert_allclose(gradient(TotalVariation(1.0), MASK), expected, atol=1e-6)


def test_contrast_has_no_gradient_through_the_indicator():
    # on: .8, .9; off: .1, .4, .3, .2
    assert float(Contrast(1.0)(MASK)) == pytest.approx(-0.5 * 1.7 + 0.5 * 1.0, abs=1e-6)
    expected = np.where(MASK > 0.5, -0.5, 0.5)
    np.testing.assert_allclose(gradient(Contrast(1.0), MASK), expected, atol=1e-7)


@pytest.mark.parametrize("kind", [TotalVariation, Contrast])
def test_regularizers_are_a_mean_over_the_batch_also_as_activity_regularizers(kind):
    one = float(kind(0.5)(MASK))
    batch = ops.convert_to_tensor(np.stack([MASK, 0 * MASK, 0 * MASK]))
    assert float(kind(0.5)(batch)) == pytest.approx(one / 3, rel=1e-6)
    frames = ops.convert_to_tensor(np.stack([MASK, MASK])[None])  # of one video: a sum
    assert float(kind(0.5)(frames)) == pytest.approx(2 * one, rel=1e-6)
    assert float(kind(0.5)(batch[:0])) == 0.0
    layer = keras.layers.Identity(activity_regularizer=kind(0.5, activity=True))
    layer(batch)
    assert float(sum(layer.losses)) == pytest.approx(one / 3, rel=1e-6)


def test_a_constant_mask_has_no_variation_and_a_finite_gradient():
    constant = np.full((2, 4, 4), 0.5, "float32")
    assert float(TotalVariation(1.0)(constant)) == 0.0
    assert np.isfinite(gradient(TotalVariation(1.0), constant)).all()


def test_spatial_mask_adds_its_means_to_the_loss_of_training():
    features = np.random.default_rng(0).normal(size=(3, 2, 4, 5, 6)).astype("float32")
    layer = SpatialMask((4,), tv=0.1, contrast=0.01)
    attended, mask = layer(features)
    np.testing.assert_allclose(
        ops.convert_to_numpy(attended), features * ops.convert_to_numpy(mask)[..., None], rtol=1e-5
    )
    expected = float(TotalVariation(0.1)(mask)) + float(Contrast(0.01)(mask))
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)

    inputs = keras.Input((2, 4, 5, 6))
    model = keras.Model(inputs, layer(inputs)[1])
    model.compile("sgd", loss=lambda y, p: 0.0 * ops.mean(p, axis=(1, 2, 3)))
    measured = model.evaluate(features, np.zeros(3), batch_size=3, verbose=0)
    assert measured == pytest.approx(expected, rel=1e-4)


def test_spatial_mask_ignores_padded_frames():
    features = np.random.default_rng(1).normal(size=(1, 3, 4, 4, 5)).astype("float32")
    layer = SpatialMask((3,), tv=1.0, contrast=1.0)
    layer(features[:, :2])
    whole = float(sum(layer.losses))
    _, mask = layer(features, mask=np.array([[1, 1, 0]]))
    assert float(sum(layer.losses)) == pytest.approx(whole, rel=1e-4)
    assert not ops.convert_to_numpy(mask)[:, 2].any()


def test_spatial_mask_starts_at_the_initial_value():
    layer = SpatialMask((3,), initial_mask=0.2)
    _, mask = layer(np.zeros((2, 4, 4, 5), "float32"))  # zeros: only the biases count
    np.testing.assert_allclose(ops.convert_to_numpy(mask), 0.2, rtol=1e-5)
    assert SpatialMask.from_config(layer.get_config()).initial_mask == 0.2
    with pytest.raises(ValueError, match="between 0 and 1"):
        SpatialMask((3,), initial_mask=1.0)


def test_spatial_mask_predicts_as_it_was_trained_after_some_dozen_steps():
    layer = SpatialMask((4,))
    features = np.random.default_rng(2).normal(2.0, 0.01, (8, 2, 4, 4, 5)).astype("float32")
    for _ in range(60):
        _, trained = layer(features, training=True)
    _, mask = layer(features, training=False)
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (mask, trained)), atol=0.02)


def test_padded_frames_do_not_count_in_the_batch_statistics():
    features = np.random.default_rng(3).normal(size=(2, 5, 3, 3, 2)).astype("float32")
    features[:, 3:] = 9.0
    present = np.array([[1, 1, 1, 0, 0]] * 2, "float32")
    for filters in ((4,), (1,)):
        padded, short = SpatialMask(filters), SpatialMask(filters)
        padded(features), short(features)
        short.set_weights(padded.get_weights())
        _, one = padded(features, mask=present, training=True)
        _, other = short(features[:, :3], training=True)
        one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        np.testing.assert_allclose(one[:, :3], other, atol=1e-5)
        assert not np.any(one[:, 3:])
        for mine, theirs in zip(padded.get_weights(), short.get_weights()):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_spatial_mask_parameters_and_errors():
    layer = SpatialMask((8, 4))
    layer.build((None, 7, 7, 16))
    convolutions = 9 * (16 * 8 + 8 * 4 + 4 * 1) + 8 + 4 + 1
    assert layer.count_params() == convolutions + 4 * (8 + 4)
    with pytest.raises(ValueError, match="height, width, channels"):
        SpatialMask((8,)).build((None, 16))


def test_the_threshold_itself_counts_as_off():
    # B = [M > 0.5], as printed: exactly 0.5 is driven down.
    mask = np.array([[0.5, 0.75], [0.25, 0.5]], "float32")
    found = float(Contrast(weight=1.0)(mask))
    assert found == pytest.approx(0.5 * (0.5 - 0.75 + 0.25 + 0.5))
    assert float(Contrast(weight=1.0, threshold=0.25)(np.full((1, 3), 0.25))) > 0
