from __future__ import annotations

import pytest
import tensorflow as tf

from zoo.training import Devices


def test_the_number_of_devices_must_be_there():
    there = len(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU"))
    for count in (0, -1, there + 1):
        with pytest.raises(ValueError, match=rf"between 1 and {there}, .*devices={count}"):
            Devices(count)
    with Devices(1).scope(), Devices().scope():
        pass
