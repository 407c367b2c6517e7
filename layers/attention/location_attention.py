from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class LocationAttention(keras.layers.Layer):
    """Attends to positions of a feature map: softmax weights, and the weighted mean feature.

    Args:
        mode: `"location"`: `softmax(W h)`, as in the paper: the weights depend only on the state.
            `"additive"`: `softmax(u . tanh(W_x x_i + W_h h + b) + c)` over the positions i of the
            current map, as in the authors' released code.
        units: Width of the hidden layer of `"additive"`; by default that of the state.
        kernel_regularizer: Regulariser of all matrices.

    Call arguments: the features x and the state h.

    Input shape: `(batch, height, width, channels)` and `(batch, units)`.
    Output: the expected feature `(batch, channels)` and the weights `(batch, height, width)`,
    float32, which sum to one.

    Raises:
        ValueError: There is no such mode, or the map's size is unknown with `"location"`.

    Example:

    ```python
    glimpse, weights = LocationAttention("location")(features, state)
    ```

    Reference: Sharma et al., Action recognition using visual attention, 2016, equations 4 and 5.
    """

    def __init__(self, mode="location", units=None, kernel_regularizer=None, **kwargs):
        super().__init__(**kwargs)
        if mode not in ("location", "additive"):
            raise ValueError(f"`mode` must be 'location' or 'additive'. Received: mode={mode!r}")
        self.mode = mode
        self.units = units
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, features_shape, state_shape):
        _, height, width, channels = features_shape
        if self.mode == "location":
            if height is None or width is None:
                raise ValueError(
                    "With mode 'location' the map's size must be known, because each position has "
                    f"its own weights. Received: features of shape {tuple(features_shape)}"
                )
            self.location_kernel = self._weight(
                "location_kernel", (state_shape[-1], height * width)
            )
        else:
            units = self.units or state_shape[-1]
            self.feature_kernel = self._weight("feature_kernel", (channels, units))
            self.state_kernel = self._weight("state_kernel", (state_shape[-1], units))
            self.bias = self.add_weight(name="bias", shape=(units,), initializer="zeros")
            self.energy_kernel = self._weight("energy_kernel", (units, 1))
            self.energy_bias = self.add_weight(name="energy_bias", shape=(1,), initializer="zeros")
        self.built = True

    def _weight(self, name, shape):
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="glorot_uniform",
            regularizer=self.kernel_regularizer,
        )

    def call(self, features, state):
        height, width, channels = features.shape[1:]
        places = ops.reshape(features, (-1, height * width, channels))
        if self.mode == "location":
            energies = ops.matmul(state, self.location_kernel)
        else:
            hidden = ops.matmul(places, self.feature_kernel)
            hidden = hidden + ops.matmul(state, self.state_kernel)[:, None] + self.bias
            energies = ops.matmul(ops.tanh(hidden), self.energy_kernel)[..., 0] + self.energy_bias
        weights = ops.softmax(ops.cast(energies, "float32"), axis=-1)
        glimpse = ops.einsum("bi,bic->bc", ops.cast(weights, places.dtype), places)
        return glimpse, ops.reshape(weights, (-1, height, width))

    def compute_output_spec(self, features, state):
        batch, height, width, channels = features.shape
        return (
            keras.KerasTensor((batch, channels), dtype=self.compute_dtype),
            keras.KerasTensor((batch, height, width), dtype="float32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "units": self.units,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
