"""The gradient of a function at a point, on the current backend."""

import keras
import numpy as np


def gradient(function, point) -> np.ndarray:
    point = np.asarray(point, "float32")
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.constant(point)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if keras.config.backend() == "jax":
        import jax

        return np.asarray(jax.grad(function)(point))
    x = keras.ops.convert_to_tensor(point).detach().requires_grad_(True)
    function(x).backward()
    return x.grad.cpu().numpy()
