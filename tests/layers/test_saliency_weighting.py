import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import norm

from tests.layers.gradients import gradient
from zoo.layers import (
    CentralBiasDiffusion,
    SaliencyFeedback,
    SaliencyWeighting,
    TaskUncertainty,
    TeacherSaliency,
    mixture_map,
)


def spot(x, y, sigma=0.05, steps=1):
    one = np.array([0.0, x, y, np.log(sigma), np.log(sigma), 0.0], "float32")
    return np.tile(one, (1, steps, 1, 1))


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def array(x):
    return ops.convert_to_numpy(x)


def test_pixels_keep_their_value_where_saliency_is_highest():
    video = np.full((1, 2, 20, 20, 3), 200.0, "float32")
    found = array(SaliencyWeighting()(video, spot(0.525, 0.275, steps=2)))
    assert found[0, 0, 5, 10] == pytest.approx([200.0] * 3)
    assert np.abs(found[0, 0, 15, 3]).max() < 1e-3
    edges = np.arange(21) / 20
    rows, columns = (np.diff(norm.cdf(edges, centre, 0.05)) for centre in (0.275, 0.525))
    whole = np.outer(rows, columns)
    wanted = 200 * whole / whole.max()
    np.testing.assert_allclose(found[0, 0, ..., 0], wanted, rtol=1e-4, atol=1e-3)


def test_mean_weights_give_the_expected_feature():
    maps = numbers(1, 1, 4, 4, 3)
    layer = SaliencyWeighting("mean")
    attended = array(layer(maps, spot(0.375, 0.625, sigma=0.02)))[0, 0].mean((0, 1))
    np.testing.assert_allclose(attended, maps[0, 0, 2, 1], atol=0.01)


def test_the_first_mixture_is_repeated_for_the_frames_before_it():
    video = np.ones((1, 5, 8, 8, 1), "float32")
    mixtures = np.concatenate([spot(0.2, 0.2), spot(0.8, 0.8)], axis=1)
    found = array(SaliencyWeighting()(video, mixtures))[0, ..., 0]
    for frame in range(3):
        np.testing.assert_array_equal(found[frame], found[3])
    assert np.abs(found[4] - found[3]).max() > 0.5


def test_saliency_longer_than_the_video_is_an_error():
    with pytest.raises(ValueError, match=r"the same length\. Received: 7 mixtures, 5 frames"):
        SaliencyWeighting()(np.ones((1, 5, 8, 8, 1)), spot(0.5, 0.5, steps=7))


def test_gradient_reaches_the_mixture_or_not():
    maps = numbers(1, 1, 4, 4, 3)
    for passes in (True, False):
        layer = SaliencyWeighting("mean", gradient=passes)

        def loss(mixture, layer=layer):
            # The second term connects the mixture where the layer does not.
            return ops.sum(ops.square(layer(maps, mixture)[..., 0])) + 0.0 * ops.sum(mixture)

        found = gradient(loss, spot(0.4, 0.6, sigma=0.2))
        assert np.isfinite(found).all()
        assert (np.abs(found).max() > 1e-3) == passes


def test_diffusion_is_the_sum_of_two_maps():
    own, bias = spot(0.3, 0.3), spot(0.6, 0.6, sigma=0.07)[0, 0]
    own = np.concatenate([own, spot(0.8, 0.2)], -2)
    own[..., 1, 0] = 1.5  # Gaussians of different weight
    layer = CentralBiasDiffusion(1, share=0.25)
    wider = layer(own)
    layer.set_bias(bias)
    wider = layer(own)
    wanted = 0.75 * array(mixture_map(own, 40, 40)) + 0.25 * array(mixture_map(bias, 40, 40))
    np.testing.assert_allclose(array(mixture_map(wider, 40, 40)), wanted, atol=1e-5)
    assert not layer.trainable_weights
    with pytest.raises(ValueError, match="`mixture` must have shape"):
        layer.set_bias(np.zeros((2, 6)))


def test_diffusion_by_nothing_changes_nothing():
    own = spot(0.2, 0.3)
    found = mixture_map(CentralBiasDiffusion(2, share=0.0)(own), 30, 30)
    np.testing.assert_allclose(array(found), array(mixture_map(own, 30, 30)), atol=1e-6)


def test_uncertainty_weighs_as_printed():
    layer = TaskUncertainty(("a", "b"))
    x = numbers(2, 3)
    np.testing.assert_array_equal(array(layer(x)), x)
    layer.log_variance.assign([0.5, -1.0])
    found = float(layer.weigh({"a": 2.0, "b": 3.0}))
    assert found == pytest.approx(2 * np.exp(-0.5) + 0.5 + 3 * np.exp(1.0) - 1.0, rel=1e-5)
    assert float(layer.weigh({"b": 3.0})) == pytest.approx(3 * np.exp(1.0) - 1.0, rel=1e-5)


def test_teacher_provides_the_previous_step():
    features = np.zeros((1, 3, 10, 10, 2), "float32")
    points = np.full((1, 3, 2, 2), np.nan, "float32")
    points[0, 0, 0] = (0.25, 0.75)
    found = array(TeacherSaliency()(features, points))[0, ..., 2]
    assert not found[0].any() and not found[2].any()
    assert np.unravel_index(found[1].argmax(), (10, 10)) == (7, 2)
    assert found[1].max() == pytest.approx(1.0)
    assert not array(TeacherSaliency()(features))[..., 2].any()


def feedback(**options):
    return SaliencyFeedback(4, num_components=2, **options)


def test_feedback_uses_the_saliency_of_the_previous_step():
    keras.utils.set_random_seed(0)
    features = numbers(1, 3, 4, 4, 2)
    layer = feedback(floor=0.0)
    first = array(layer(features))
    # Explicitly: two steps of the cell on features weighted by the previous step's map.
    cell, states = layer.cell.cells[0], [np.zeros((1, 4), "float32")] * 2
    weights = np.ones((1, 4, 4), "float32")
    from zoo.layers.saliency.saliency_weighting import saliency_weights

    for step in range(3):
        flat = (features[:, step] * weights[..., None]).reshape(1, -1)
        hidden, states = cell(flat, states)
        mixture = layer.cell.density(hidden)
        np.testing.assert_allclose(first[:, step], array(mixture), atol=1e-5)
        weights = array(saliency_weights(mixture, 4, 4))


def test_a_teacher_replaces_the_saliency_only_where_it_is_given():
    keras.utils.set_random_seed(0)
    features = numbers(1, 4, 4, 4, 2)
    plain = feedback()
    own = array(plain(features))
    taught = feedback(teacher=True)
    taught(np.zeros((1, 4, 4, 4, 3), "float32"))
    taught.set_weights(plain.get_weights())
    points = np.full((1, 4, 1, 2), np.nan, "float32")
    none = array(taught(TeacherSaliency()(features, points)))
    np.testing.assert_allclose(none, own, atol=1e-6)
    points[0, 1, 0] = (0.1, 0.9)
    forced = array(taught(TeacherSaliency()(features, points)))
    np.testing.assert_allclose(forced[:, :2], own[:, :2], atol=1e-6)
    assert np.abs(forced[:, 2] - own[:, 2]).max() > 1e-6


def test_dropout_only_in_training():
    layer = feedback(dropout=0.5, num_layers=2, cell="rnn")
    x = numbers(2, 3, 4, 4, 2)
    np.testing.assert_array_equal(array(layer(x)), array(layer(x)))
    assert np.abs(array(layer(x, training=True)) - array(layer(x))).max() > 1e-6


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: SaliencyWeighting("sum"), "`normalization` must be one of"),
        (lambda: SaliencyWeighting()(np.ones((1, 4, 4, 3)), spot(0.5, 0.5)), "must have shape"),
        (lambda: CentralBiasDiffusion(2, share=1.0), "below 1"),
        (lambda: TaskUncertainty(()), "at least one task"),
        (lambda: TeacherSaliency(0.0), "`sigma` must be positive"),
        (lambda: SaliencyFeedback(cell="gru"), "`cell` must be one of"),
        (lambda: SaliencyFeedback(floor=1.0), "`floor`"),
        (lambda: SaliencyFeedback(num_layers=0), "`num_layers`"),
        (lambda: feedback()(np.ones((1, 3, 8), "float32")), "must be feature maps"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
