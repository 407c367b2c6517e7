from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest

from zoo.training import Halving, StepDecay, WarmCosine
from zoo.training.schedules import schedule


def rates(plan, steps) -> list[float]:
    return [float(keras.ops.convert_to_numpy(plan(step))) for step in steps]


def test_the_rmdn_paper_s_rate():
    found = rates(StepDecay(3e-4, steps=7), range(0, 70, 7))
    np.testing.assert_allclose(found[:8], 3e-4, rtol=1e-6)
    np.testing.assert_allclose(found[8:], [3e-4 * 0.95, 3e-4 * 0.95**2], rtol=1e-6)
    assert rates(StepDecay(3e-4, steps=7), [62, 63])[0] == found[8]


def test_the_cosine_rises_and_falls_to_zero():
    found = rates(WarmCosine(1.0, 40, warmup=0.1), range(40))
    assert found[0] < found[1] < found[2] <= found[3] + 1e-6
    assert all(a > b for a, b in itertools.pairwise(found[3:]))
    assert found[-1] == pytest.approx(0.0, abs=1e-6)
    done = (np.arange(40) + 1) / 40
    wanted = np.where(done < 0.1, done / 0.1, 0.5 * (1 + np.cos(math.pi * (done - 0.1) / 0.9)))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_lsts_paper_s_rate():
    found = rates(Halving(1e-4, 50), [0, 49, 50, 99, 100])
    np.testing.assert_allclose(found, [1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5], rtol=1e-6)


@pytest.mark.parametrize("plan", [StepDecay(0.1, 7), WarmCosine(0.1, 70), Halving(0.1, 50)])
def test_schedules_are_saved_with_their_optimizer(plan):
    optimizer = keras.optimizers.Adam(plan)
    again = keras.optimizers.Adam.from_config(optimizer.get_config())
    assert rates(again._learning_rate, [69]) == rates(plan, [69])


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match="schedule='linear'"):
        schedule("linear", 1.0, steps=1, epochs=1)
