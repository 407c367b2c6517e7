import keras
import numpy as np
from keras import ops

from zoo.layers import BatchNormalization


def test_it_equals_keras_on_one_device():
    features = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 6)).astype("float32")
    ours, theirs = BatchNormalization(momentum=0.5), keras.layers.BatchNormalization(momentum=0.5)
    for training in (True, False):
        one, two = (ops.convert_to_numpy(x(features, training=training)) for x in (ours, theirs))
        np.testing.assert_array_equal(one, two)
    for one, two in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_array_equal(one, two)


def test_it_has_the_configuration_of_keras_and_loads_on_every_backend():
    theirs = keras.layers.BatchNormalization(epsilon=1e-5, name="bn")
    ours = BatchNormalization.from_config(theirs.get_config())
    assert (ours.epsilon, ours.name) == (1e-5, "bn")
    assert "synchronized" not in ours.get_config()  # other backends refuse a saved True
