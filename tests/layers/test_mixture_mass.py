import numpy as np
import pytest
from keras import ops
from scipy.stats import multivariate_normal

from tests.layers.gradients import gradient
from zoo.layers.saliency.mixture import mixture_map
from zoo.layers.saliency.mixture_mass import mixture_mass


def array(x):
    return ops.convert_to_numpy(x)


def component(logit=0.0, x=0.4, y=0.6, sx=0.1, sy=0.1, rho=0.0):
    return [logit, x, y, np.log(sx), np.log(sy), np.arctanh(rho)]


def exact(numbers, height, width):
    """Mass of one component in each cell by SciPy's bivariate normal distribution."""
    _, x, y, log_sx, log_sy, a = numbers
    sx, sy, rho = np.exp(log_sx), np.exp(log_sy), np.tanh(a)
    normal = multivariate_normal([x, y], [[sx * sx, rho * sx * sy], [rho * sx * sy, sy * sy]])
    cells = [
        [
            normal.cdf(
                [(j + 1) / width, (i + 1) / height],
                lower_limit=[j / width, i / height],
            )
            for j in range(width)
        ]
        for i in range(height)
    ]
    return np.array(cells)


@pytest.mark.parametrize("sx, sy", [(0.01, 0.01), (0.02, 0.3), (0.3, 0.02), (0.2, 0.3), (2.0, 2.0)])
def test_without_correlation_it_is_exact(sx, sy):
    numbers = component(sx=sx, sy=sy)
    wanted = exact(numbers, 5, 4)
    found = array(mixture_mass(np.array([numbers], "float32"), 5, 4))
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-5)


@pytest.mark.parametrize("rho", [-0.9, -0.5, 0.3, 0.8])
@pytest.mark.parametrize("sx, sy", [(0.02, 0.02), (0.03, 0.2), (0.3, 0.02), (0.2, 0.15)])
def test_with_correlation_it_is_close(sx, sy, rho):
    numbers = component(sx=sx, sy=sy, rho=rho)
    wanted = exact(numbers, 5, 4)
    found = array(mixture_mass(np.array([numbers], "float32"), 5, 4))
    # Mass in the wrong cell: largest where a row cuts a flat, slanted component in half.
    assert np.abs(found - wanted / wanted.sum()).sum() / 2 < 0.05


def test_a_fine_grid_gives_the_density_map():
    rng = np.random.default_rng(0)
    numbers = [
        component(rng.normal(), *rng.uniform(0.2, 0.8, 2), 0.1, 0.2, rng.uniform(-0.7, 0.7))
        for _ in range(3)
    ]
    mixture = np.array(numbers, "float32")
    found, wanted = (array(f(mixture, 60, 80)) for f in (mixture_mass, mixture_map))
    np.testing.assert_allclose(found, wanted, atol=2e-3 * wanted.max())


def test_nothing_is_lost_between_the_cells():
    # A component much narrower than a cell lies in one cell or is shared by neighbours, anywhere.
    for x in np.linspace(0.02, 0.98, 25):
        mixture = [component(x=x, sx=0.004, sy=0.004), component(x=0.5, y=0.1, sx=0.01, sy=0.01)]
        found = array(mixture_mass(np.array(mixture, "float32"), 4, 4))
        assert found[2].sum() == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    "numbers",
    [
        component(x=50.0, y=-50.0, sx=0.01, sy=0.01),
        component(x=1e30, sx=0.01, sy=0.01, rho=0.99),
        component(sx=1e-6, sy=1e-6, rho=0.999),
        component(sx=1e4, sy=1e4),
    ],
)
def test_extremes_are_finite_and_so_are_their_gradients(numbers):
    mixture = np.array([numbers], "float32")
    found = array(mixture_mass(mixture, 4, 4))
    assert np.isfinite(found).all() and found.sum() == pytest.approx(1.0, abs=1e-5)
    weights = np.arange(16, dtype="float32").reshape(4, 4)
    assert np.isfinite(gradient(lambda m: ops.sum(mixture_mass(m, 4, 4) * weights), mixture)).all()


def test_a_component_outside_the_frame_gives_equal_shares():
    mixture = np.array([component(x=5.0, sx=0.1, sy=0.1)], "float32")
    np.testing.assert_allclose(array(mixture_mass(mixture, 2, 3)), np.full((2, 3), 1 / 6))


def test_gradient_is_that_of_finite_differences():
    numbers = np.array([component(rho=0.4), component(0.5, 0.7, 0.2, 0.2, 0.3, -0.3)], "float32")
    weights = np.linspace(-1, 1, 12).reshape(3, 4).astype("float32")

    def value(mixture):
        return ops.sum(mixture_mass(mixture, 3, 4) * weights)

    found, step = gradient(value, numbers), 3e-3
    for index in np.ndindex(numbers.shape):
        up, down = numbers.copy(), numbers.copy()
        up[index] += step
        down[index] -= step
        slope = (float(value(up)) - float(value(down))) / (2 * step)
        assert found[index] == pytest.approx(slope, abs=2e-3), index


def test_errors():
    with pytest.raises(ValueError, match="the last of size 6"):
        mixture_mass(np.zeros((2, 5), "float32"), 4, 4)
