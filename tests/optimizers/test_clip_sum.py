import keras
import numpy as np
import pytest

import zoo


@pytest.mark.parametrize("name", ["Adam", "RMSprop", "SGD"])
def test_it_equals_keras_on_one_device(name):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(8, 3)).astype("float32"), random.normal(size=(8, 1))
    weights = []
    for package in (zoo.optimizers, keras.optimizers):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(getattr(package, name)(0.1, global_clipnorm=0.1), "mse")
        model.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for one, two in zip(*weights):
        np.testing.assert_array_equal(one, two)


def test_a_compiled_model_is_loaded_with_it(tmp_path):
    model = zoo.soft_attention(
        num_classes=2, num_frames=2, backbone=None, feature_shape=(2, 2, 3), units=2
    )
    model.compile(zoo.optimizers.Adam(1e-3, clipnorm=2.0), {"action": "mse"})
    model.save(tmp_path / "model.keras")
    optimizer = zoo.load(tmp_path / "model.keras", compile=True).optimizer
    assert type(optimizer) is zoo.optimizers.Adam
    assert optimizer.clipnorm == 2.0
