"""Every layer, loss, metric and model, on the backend that KERAS_BACKEND names.

Each is saved and loaded, compiled, and run in mixed precision; none is left out.
"""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from tests.conformance.cases import LAYERS, LOSSES, METRICS, MODELS

POLICIES = ("mixed_float16", "mixed_bfloat16")


def public(module, base):
    return {n for n, o in vars(module).items() if inspect.isclass(o) and issubclass(o, base)}


def test_nothing_is_left_out():
    # Activity regularisers have no inputs; their tests are in tests/layers.
    assert public(zoo.layers, keras.layers.Layer) == set(LAYERS)
    assert public(zoo.losses, keras.losses.Loss) == set(LOSSES)
    assert public(zoo.metrics, keras.metrics.Metric) == set(METRICS)
    assert {name.split()[0] for name in MODELS} == set(zoo.list_models())


def numbers(shape, seed=0):
    if isinstance(shape, np.ndarray):
        return shape
    rng = np.random.default_rng(seed)
    scale = 255.0 if shape[-1] == 3 else 1.0
    return (scale * rng.uniform(size=shape)).astype("float32")


TAKE_A_LIST = (
    "CropTime",
    "DensityMemory",
    "FrameBrightness",
    "MaskPaddedTime",
    "MotionMixture",
    "VideoCentreBias",
)


def layer_model(factory, shapes, **kwargs):
    inputs = [keras.Input(shape[1:], batch_size=shape[0]) for shape in shapes]
    layer = factory(**kwargs)
    takes_a_list = layer.__class__.__name__ in TAKE_A_LIST
    outputs = layer(inputs if takes_a_list else inputs[0], *([] if takes_a_list else inputs[1:]))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs)


def by_name(outputs):
    """A dict's values in the order of their names: JAX sorts dicts, other backends do not."""
    return [outputs[name] for name in sorted(outputs)]


def run(model, inputs):
    """The model's outputs as a list of float64 arrays, called without compilation."""
    outputs = model(inputs if len(inputs) > 1 else inputs[0])
    outputs = by_name(outputs) if isinstance(outputs, dict) else outputs
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [ops.convert_to_numpy(ops.cast(o, "float32")) for o in outputs]


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layer(name, tmp_path):
    factory, shapes = LAYERS[name]
    inputs = [numbers(shape, i) for i, shape in enumerate(shapes)]
    shapes = [array.shape for array in inputs]
    model = layer_model(factory, shapes)
    eager = run(model, inputs)
    assert all(np.isfinite(a).all() for a in eager)

    model.save(tmp_path / "layer.keras")
    loaded = keras.models.load_model(tmp_path / "layer.keras")
    for a, b in zip(eager, run(loaded, inputs)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)

    same_batch = len({shape[0] for shape in shapes}) == 1 and name != "MergePhases"
    if same_batch and name != "SplitPhases":
        batch = shapes[0][0]
        compiled = model.predict(inputs if len(inputs) > 1 else inputs[0], batch, verbose=0)
        compiled = compiled if isinstance(compiled, (list, tuple)) else [compiled]
        for a, b in zip(eager, compiled):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)

    for policy in POLICIES:
        mixed = layer_model(factory, shapes, dtype=policy)
        mixed.set_weights(model.get_weights())
        for a, b in zip(eager, run(mixed, inputs)):
            assert np.isfinite(b).all()
            assert np.abs(a - b).max() <= 0.05 * max(1.0, np.abs(a).max())


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_loss(name):
    factory, y_true, y_pred = LOSSES[name]
    loss = factory()
    value = float(loss(y_true, y_pred))
    assert np.isfinite(value)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(y_true, y_pred)) == pytest.approx(value, rel=1e-6)

    inputs = keras.Input(y_pred.shape[1:])
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss=loss)
    compiled = model.evaluate(y_pred, y_true, batch_size=len(y_pred), verbose=0)
    assert compiled == pytest.approx(value, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_metric(name):
    factory, y_true, y_pred = METRICS[name]
    metric = factory()
    metric.update_state(y_true[:0], y_pred[:0])  # a batch without samples changes nothing
    assert np.isnan(float(metric.result()))
    metric.update_state(y_true, y_pred)
    value = float(metric.result())
    assert np.isfinite(value)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    again.update_state(y_true, y_pred)
    assert float(again.result()) == pytest.approx(value, rel=1e-6)

    inputs = keras.Input(y_pred.shape[1:])
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    model.compile(loss="mse", metrics=[factory()])
    compiled = model.evaluate(y_pred, y_true, batch_size=2, verbose=0, return_dict=True)
    assert compiled[metric.name] == pytest.approx(value, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_model(name, tmp_path):
    factory, shapes = MODELS[name]
    ((key, shape),) = shapes.items()
    inputs = [numbers(shape)]
    model = factory()
    assert [i.name for i in model.inputs] == [key]
    eager = run(model, inputs)
    assert all(np.isfinite(a).all() for a in eager)

    model.save(tmp_path / "model.keras")
    for a, b in zip(eager, run(zoo.load(tmp_path / "model.keras"), inputs)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    compiled = by_name(model.predict(inputs[0], verbose=0))
    for a, b in zip(eager, compiled):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", sorted(MODELS))
def test_model_in_mixed_precision(name, policy):
    on_cpu = (
        keras.backend.backend() == "tensorflow" and keras.distribution.list_devices("gpu") == []
    )
    if policy == "mixed_float16" and name.startswith(("rmdn", "joint clips")) and on_cpu:
        pytest.skip("TensorFlow has no float16 kernel of MaxPool3D for CPUs")
    factory, shapes = MODELS[name]
    inputs = [numbers(shape) for shape in shapes.values()]
    model = factory()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        mixed = factory()
    finally:
        keras.config.set_dtype_policy(before)
    mixed.set_weights(model.get_weights())
    for a, b in zip(run(model, inputs), run(mixed, inputs)):
        assert np.isfinite(b).all()
        assert np.abs(a - b).max() <= 0.05 * max(1.0, np.abs(a).max())
