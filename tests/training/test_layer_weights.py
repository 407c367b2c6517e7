from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.training.layer_weights import copy_layers


def model(*names, units=2, value=0.0) -> keras.Model:
    x = given = keras.Input((2,))
    for name in names:
        x = keras.layers.Dense(units, name=name, kernel_initializer=keras.initializers.Ones())(x)
        x = keras.layers.Activation("relu")(x)
    made = keras.Model(given, x)
    for layer in made.layers:
        layer.set_weights([np.full_like(weight, value) for weight in layer.get_weights()])
    return made


def values(made: keras.Model) -> dict[str, float]:
    return {layer.name: layer.get_weights()[0].mean() for layer in made.layers if layer.weights}


def test_layers_are_copied_by_their_names():
    target = model("head_a", "body")
    assert copy_layers(model("body", "head_a", value=3.0), target) == ["body", "head_a"]
    assert values(target) == {"head_a": 3.0, "body": 3.0}


def test_only_layers_with_the_prefix_are_copied():
    target = model("body", "head_a", "head_b", "other")
    source = model("body", "head_a", "head_c", value=3.0)
    assert copy_layers(source, target, ("head_", "nothing")) == ["head_a"]
    assert values(target) == {"body": 0.0, "head_a": 3.0, "head_b": 0.0, "other": 0.0}


def test_layers_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match=r"with \['head'\], which .* lacks"):
        copy_layers(model("body", "head"), model("body"))
    with pytest.raises(ValueError, match="layers of the same names"):
        copy_layers(model("body"), model("other"), ("body",))
    with pytest.raises(ValueError, match=r"'body' with weight shapes \[\(2, 3\), \(3,\)\] instead"):
        copy_layers(model("body", units=3), model("body"))
