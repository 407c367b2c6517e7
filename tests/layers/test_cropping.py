"""The layer that crops, beside Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from zoo.layers import FastCropping2D


@pytest.mark.parametrize("cropping", [((1, 0), (1, 0)), ((0, 0), (1, 0)), 2, (0, 3)])
def test_it_crops_as_keras_does(cropping):
    inputs = keras.Input((None, 7, 3))
    x = np.random.default_rng(0).normal(size=(2, 6, 7, 3)).astype("float32")
    model = keras.Model(inputs, FastCropping2D(cropping)(inputs))
    other = keras.layers.Cropping2D(cropping)
    assert model.output_shape == other.compute_output_shape((None, None, 7, 3))
    np.testing.assert_array_equal(model.predict(x, verbose=0), other(x))
    given = tf.constant(x)
    gradients = []
    for layer in (FastCropping2D(cropping), other):
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = tf.reduce_sum(tf.square(layer(given)))
        gradients.append(tape.gradient(loss, given))
    np.testing.assert_array_equal(*gradients)
    again = FastCropping2D.from_config(FastCropping2D(cropping).get_config())
    np.testing.assert_array_equal(again(x), other(x))
