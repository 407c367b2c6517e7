import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from zoo.layers import MixtureDensity, mixture_log_prob, mixture_map
from zoo.losses import MixtureNLL, mixture_nll


def random_mixture(rng, *shape, components=4):
    mixture = rng.normal(size=(*shape, components, 6))
    mixture[..., 1:3] = rng.uniform(size=(*shape, components, 2))
    mixture[..., 3:5] = rng.uniform(np.log(0.01), 0.0, size=(*shape, components, 2))
    mixture[..., 5] = rng.uniform(-2.5, 2.5, size=(*shape, components))
    return mixture.astype("float32")


def reference_log_prob(mixture, points):
    """SciPy in float64: (C, 6), (A, 2) -> (A,)."""
    mixture = np.asarray(mixture, "float64")
    log_weight = mixture[:, 0] - logsumexp(mixture[:, 0])
    terms = []
    for weight, (_, x, y, log_sx, log_sy, a) in zip(log_weight, mixture):
        sx, sy, rho = np.exp(log_sx), np.exp(log_sy), np.tanh(a)
        covariance = [[sx * sx, rho * sx * sy], [rho * sx * sy, sy * sy]]
        terms.append(weight + multivariate_normal([x, y], covariance).logpdf(points))
    return logsumexp(np.reshape(terms, (len(terms), -1)), axis=0)


def test_log_prob_equals_scipy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        mixture = random_mixture(rng)
        points = rng.uniform(-0.2, 1.2, size=(30, 2)).astype("float32")
        got = ops.convert_to_numpy(mixture_log_prob(mixture, points))
        np.testing.assert_allclose(got, reference_log_prob(mixture, points), rtol=1e-5, atol=1e-5)


def test_log_prob_100_sigmas_away_and_rho_near_one():
    mixture = np.array([[0.0, 0.5, 0.5, np.log(0.01), np.log(0.01), 2.6]], "float32")
    points = np.array([[1.5, 0.5], [0.5, -0.5], [0.5, 0.5], [1.5, 1.5]], "float32")
    got = ops.convert_to_numpy(mixture_log_prob(mixture, points))
    np.testing.assert_allclose(got, reference_log_prob(mixture, points), rtol=1e-5)


def test_map_is_the_density_at_pixel_centres():
    rng = np.random.default_rng(1)
    mixture = random_mixture(rng, components=3)
    height, width = 13, 21
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    density = np.exp(reference_log_prob(mixture, np.stack([x, y], -1).reshape(-1, 2)))
    got = ops.convert_to_numpy(mixture_map(mixture, height, width))
    np.testing.assert_allclose(
        got, (density / density.sum()).reshape(height, width), rtol=2e-5, atol=1e-9
    )


def test_map_of_a_component_between_pixels_sums_to_one():
    mixture = np.array([[0.0, 0.51, 0.51, -12.0, -12.0, 0.0]], "float32")
    got = ops.convert_to_numpy(mixture_map(mixture, 4, 4))
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got.sum(), 1.0, rtol=1e-6)


def test_map_rejects_an_empty_size():
    with pytest.raises(ValueError, match="at least 1"):
        mixture_map(np.zeros((1, 6), "float32"), 0, 4)


@pytest.mark.parametrize("over", ["sum", "mean"])
def test_nll_skips_padding(over):
    rng = np.random.default_rng(2)
    mixture = random_mixture(rng, 1, 3)
    fixations = rng.uniform(size=(1, 3, 5, 2)).astype("float32")
    fixations[0, 1, 3:] = np.nan
    fixations[0, 2] = np.nan
    got = ops.convert_to_numpy(mixture_nll(fixations, mixture, over))[0]
    for t, count in ((0, 5), (1, 3)):
        nll = -reference_log_prob(mixture[0, t], fixations[0, t, :count])
        expected = nll.sum() if over == "sum" else nll.mean()
        np.testing.assert_allclose(got[t], expected, rtol=1e-5, atol=1e-5)
    assert got[2] == 0.0


def test_nll_accepts_weights_per_frame_and_per_sample():
    rng = np.random.default_rng(3)
    mixture = random_mixture(rng, 2, 3)
    fixations = rng.uniform(size=(2, 3, 4, 2)).astype("float32")
    frames = ops.convert_to_numpy(mixture_nll(fixations, mixture))
    loss = MixtureNLL(reduction="sum")
    weights = np.array([[1.0, 0.0, 2.0], [0.5, 1.0, 0.0]], "float32")
    np.testing.assert_allclose(
        loss(fixations, mixture, sample_weight=weights), (frames * weights).sum(), rtol=1e-5
    )
    np.testing.assert_allclose(
        loss(fixations, mixture, sample_weight=np.array([0.0, 3.0], "float32")),
        3.0 * frames[1].sum(),
        rtol=1e-5,
    )


def test_nll_rejects_maps_given_as_fixations():
    with pytest.raises(ValueError, match="fixations of shape"):
        MixtureNLL()(np.zeros((1, 3, 10, 10), "float32"), np.zeros((1, 3, 2, 6), "float32"))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_value_and_gradient_are_finite_at_the_extremes(policy):
    """Sigma at its floor, rho at its bound, a fixation 100 sigmas away, padding in between."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the gradient is taken with TensorFlow's tape")
    import tensorflow as tf

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer = MixtureDensity(3)
        x = tf.Variable(tf.ones((1, 2, 8)))
        layer.build(x.shape)
        for sign in (1.0, -1.0):
            bias = np.zeros((3, 6), "float32")
            bias[:, 1:3] = 0.5
            bias[:, 3:5] = -1e4
            bias[:, 5] = sign * 1e4
            layer.bias.assign(bias.reshape(-1))
            points = np.full((1, 2, 4, 2), np.nan, "float32")
            points[0, 0, 0] = 1.5, 0.5
            points[0, 0, 1] = 0.5, 0.5
            with tf.GradientTape() as tape:
                mixture = layer(x)
                loss = MixtureNLL()(points, mixture)
            assert mixture.dtype == tf.float32
            gradients = tape.gradient(loss, [x, *layer.trainable_variables])
            assert np.isfinite(float(loss))
            assert all(np.isfinite(g.numpy()).all() for g in gradients)
    finally:
        keras.config.set_dtype_policy(before)


def test_components_start_at_different_places_with_the_initial_sigma():
    layer = MixtureDensity(20, kernel_initializer="zeros", initial_sigma=0.2)
    mixture = ops.convert_to_numpy(layer(np.ones((1, 4), "float32")))[0]
    np.testing.assert_allclose(np.exp(mixture[:, 3:5]), 0.2, rtol=1e-5)
    means = mixture[:, 1:3]
    distance = np.linalg.norm(means[:, None] - means[None], axis=-1) + np.eye(20)
    assert distance.min() > 0.05
    assert ((means >= 0) & (means <= 1)).all()


@pytest.mark.parametrize(
    "arguments",
    [{"num_components": 0}, {"min_sigma": 0.5}, {"max_correlation": 1.0}],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="Received"):
        MixtureDensity(**arguments)
