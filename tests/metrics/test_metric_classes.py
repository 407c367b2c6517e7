"""The saliency metrics as Keras metrics: means, weights, compiled use, saving."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import metrics

CLASSES = [
    metrics.AUCJudd,
    metrics.AUCUniform,
    metrics.AUCBorji,
    metrics.AUCShuffled,
    metrics.AUCShuffledSampled,
    metrics.NSS,
    metrics.CC,
    metrics.Similarity,
    metrics.KLDivergence,
    metrics.InformationGain,
    metrics.LogLikelihood,
]
TWO_MAPS = (metrics.AUCShuffled, metrics.AUCShuffledSampled, metrics.InformationGain)


def example(cls, leading=(4,), seed=0):
    rng = np.random.default_rng(seed)
    saliency = 0.5 + rng.random((*leading, 9, 11)).astype("float32")
    truth = rng.poisson(0.2, (*leading, 9, 11)).astype("float32")
    truth[..., 0, 0] = 1
    if cls in TWO_MAPS:
        truth = np.stack([truth, rng.poisson(0.5, truth.shape) + 1.0], axis=-1)
    return truth.astype("float32"), saliency


def no_loss(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=(1, 2))


def function_values(cls, truth, saliency):
    functions = {
        "AUCJudd": metrics.auc_judd,
        "AUCUniform": metrics.auc_uniform,
        "AUCBorji": metrics.auc_borji,
        "AUCShuffled": metrics.auc_shuffled,
        "AUCShuffledSampled": metrics.auc_shuffled_sampled,
        "NSS": metrics.nss,
        "CC": metrics.cc,
        "Similarity": metrics.similarity,
        "KLDivergence": metrics.kl_divergence,
        "InformationGain": metrics.information_gain,
        "LogLikelihood": metrics.log_likelihood,
    }
    maps = (truth[..., 0], truth[..., 1]) if cls in TWO_MAPS else (truth,)
    return keras.ops.convert_to_numpy(functions[cls.__name__](saliency, *maps))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_the_class_is_the_mean_of_the_function_and_survives_saving(cls):
    truth, saliency = example(cls)
    metric = cls.from_config(cls().get_config())
    assert keras.saving.get_registered_name(cls) == f"zoo>{cls.__name__}"
    metric.update_state(truth[:3], saliency[:3])
    metric.update_state(truth[3:], saliency[3:])
    wanted = function_values(cls, truth, saliency)
    assert float(metric.result()) == pytest.approx(wanted.mean(), abs=1e-5)
    metric.reset_state()
    assert np.isnan(float(metric.result()))
    # (batch, time) frames with a weight for each sample.
    truth, saliency = (x.reshape(2, 2, *x.shape[1:]) for x in (truth, saliency))
    metric.update_state(truth, saliency, sample_weight=np.array([3.0, 1.0]))
    assert float(metric.result()) == pytest.approx(
        np.average(wanted, weights=[3, 3, 1, 1]), abs=1e-5
    )


def test_undefined_frames_are_left_out_and_invalid_predictions_give_nan():
    truth, saliency = example(metrics.NSS)
    truth[1] = 0
    metric = metrics.NSS()
    metric.update_state(truth, saliency)
    wanted = function_values(metrics.NSS, truth, saliency)
    assert float(metric.result()) == pytest.approx(np.nanmean(wanted), abs=1e-6)
    with pytest.raises(ValueError, match="must be finite"):
        metric.update_state(truth, np.full_like(saliency, np.nan))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_the_class_works_in_a_compiled_model(cls):
    truth, saliency = example(cls)
    inputs = keras.Input((None, None))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    metric = cls()
    model.compile(loss=no_loss, metrics=[metric])
    logs = model.evaluate(saliency, truth, batch_size=3, verbose=0, return_dict=True)
    wanted = function_values(cls, truth, saliency)
    assert logs[metric.name] == pytest.approx(wanted.mean(), abs=1e-5)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="runs eagerly: an error there")
def test_an_invalid_prediction_gives_nan_in_a_compiled_model():
    truth, saliency = example(metrics.AUCJudd)
    saliency[2, 1, 1] = np.nan
    inputs = keras.Input((9, 11))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    model.compile(loss=no_loss, metrics=[metrics.AUCJudd(), metrics.NSS()])
    logs = model.evaluate(saliency, truth, verbose=0, return_dict=True)
    assert np.isnan(logs["auc_judd"]) and np.isnan(logs["nss"])


@pytest.mark.parametrize("cls", TWO_MAPS, ids=lambda c: c.__name__)
def test_a_second_map_for_all_frames_goes_to_the_constructor(cls):
    truth, saliency = example(cls)
    truth[..., 1] = truth[:1, ..., 1]
    name = "baseline" if cls is metrics.InformationGain else "other_fixations"
    metric = cls.from_config(cls(**{name: truth[0, ..., 1]}).get_config())
    metric.update_state(truth[..., 0], saliency)
    wanted = function_values(cls, truth, saliency)
    assert float(metric.result()) == pytest.approx(wanted.mean(), abs=1e-5)
    with pytest.raises(ValueError, match=f"or pass `{name}`"):
        cls().update_state(truth[..., 0], saliency)
