from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.training import make_optimizer


def updated(optimizer, gradients, value=(3.0, 4.0)) -> list[list[float]]:
    """The values of a variable after each gradient."""
    variable = keras.Variable(np.array(value, np.float32))
    optimizer.build([variable])
    found = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, np.float32))])
        found.append(keras.ops.convert_to_numpy(variable).tolist())
    return found


def test_gradients_are_averaged_over_several_batches():
    gradients = np.array([[3, 0], [6, 0], [9, 3], [0, 1], [0, 1], [0, 1]], float)
    found = updated(make_optimizer("sgd", 0.1, clip=None, accumulate=3), gradients)
    # The momentum of 0.9 carries the first update of -0.6 and -0.1 into the second.
    wanted = [[3, 4]] * 2 + [[2.4, 3.9]] * 3 + [[2.4 - 0.54, 3.9 - 0.09 - 0.1]]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    at_once = updated(make_optimizer("sgd", 0.1, clip=None), gradients[:1])
    np.testing.assert_allclose(at_once, [[2.7, 4.0]], rtol=1e-6)


def test_the_gradient_is_clipped_by_its_norm_over_all_variables():
    found = updated(make_optimizer("sgd", 0.1, clip=5.0), [[30.0, 40.0]])
    np.testing.assert_allclose(found, [[2.7, 3.6]], rtol=1e-6)
    found = updated(make_optimizer("sgd", 0.1, clip=None), [[30.0, 40.0]])
    np.testing.assert_allclose(found, [[0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("name", ["rmsprop", "adam", "sgd"])
def test_weight_decay_does_not_go_through_the_gradient(name):
    decayed = updated(make_optimizer(name, 0.5, weight_decay=0.1), [[0.0, 0.0]])
    np.testing.assert_allclose(decayed, [[3 * 0.95, 4 * 0.95]], rtol=1e-6)
    np.testing.assert_allclose(updated(make_optimizer(name, 0.5), [[0.0, 0.0]]), [[3, 4]])


def test_optimizers_by_name():
    """The first step of each rule, for a gradient of 2 and a rate of 0.1."""
    steps = {}
    for name in ("rmsprop", "adam", "sgd"):
        ((first, _),) = updated(make_optimizer(name, 0.1), [[2.0, 0.0]])
        steps[name] = 3.0 - first
    assert steps["sgd"] == pytest.approx(0.2, rel=1e-4)
    assert steps["adam"] == pytest.approx(0.1, rel=1e-4)
    assert steps["rmsprop"] == pytest.approx(0.1 / np.sqrt(0.1), rel=1e-4)
    with pytest.raises(ValueError, match="optimizer='lion'"):
        make_optimizer("lion", 0.1)
