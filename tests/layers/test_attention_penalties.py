import numpy as np
import pytest

from tests.layers.gradients import gradient
from zoo.layers import doubly_stochastic, log_concavity
from zoo.losses import DoublyStochastic, LogConcavity


def test_log_concavity_of_worked_cases():
    # .4*.4 - .2^2 = .12 in the middle; the unimodal one has none.
    weights = np.array([[0.4, 0.2, 0.4], [0.25, 0.5, 0.25]], "float32")
    np.testing.assert_allclose(log_concavity(weights), [0.12, 0.0], atol=1e-7)
    assert float(LogConcavity()(np.zeros(2), weights)) == pytest.approx(0.06, abs=1e-6)
    steps = np.stack([weights, weights])  # (batch, steps, time): steps are summed too
    np.testing.assert_allclose(log_concavity(steps), [0.12, 0.12], atol=1e-7)


def test_log_concavity_gradient_of_a_worked_case():
    found = gradient(lambda w: log_concavity(w)[0], [[0.4, 0.2, 0.4]])
    np.testing.assert_allclose(found, [[0.4, -0.4, 0.4]], atol=1e-6)


@pytest.mark.parametrize(
    "weights", [[0.25] * 4, [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0.5, 0, 0, 0.5], [1], [1, 0]]
)
def test_gradients_are_finite_where_the_root_would_have_none(weights):
    found = gradient(lambda w: log_concavity(w)[0], [weights])
    assert np.isfinite(found).all()
    if weights == [0.25] * 4:
        assert not found.any()


def test_doubly_stochastic_value_and_gradient():
    looked = np.array([[[0.75, 0.25], [0.5, 0.5]]], "float32")  # totals 1.25 and .75
    np.testing.assert_allclose(doubly_stochastic(looked), [0.125], atol=1e-7)
    found = gradient(lambda w: doubly_stochastic(w)[0], looked)
    np.testing.assert_allclose(found, [[[0.5, -0.5], [0.5, -0.5]]], atol=1e-6)
    both = np.concatenate([looked, looked])
    assert float(DoublyStochastic()(np.zeros(2), both)) == pytest.approx(0.125)
