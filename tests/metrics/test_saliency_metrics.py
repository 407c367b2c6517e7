"""Every saliency metric against float64 references, closed forms and degenerate frames."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from sklearn.metrics import roc_auc_score

from tests.metrics import reference
from zoo import metrics

NAN = float("nan")


def values(result) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(result), "float64")


def frames(seed=0, batch=3, height=23, width=31, levels=None):
    rng = np.random.default_rng(seed)
    saliency = rng.random((batch, height, width))
    if levels:
        saliency = np.floor(saliency * levels) / levels
    fixations = rng.poisson(0.03, saliency.shape)
    fixations[:, 0, 0] = 2
    others = rng.poisson(0.1, saliency.shape)
    truth = rng.random(saliency.shape) ** 4
    return saliency.astype("float32"), fixations, others, truth.astype("float32")


@pytest.mark.parametrize("levels", [None, 6])
@pytest.mark.parametrize("ties", ["together", "listed", "expected"])
def test_auc_judd_is_the_published_curve(levels, ties):
    saliency, fixations, _, _ = frames(levels=levels)
    wanted = [reference.auc_judd(s.astype("float64"), f, ties) for s, f in zip(saliency, fixations)]
    # 400 draws of the random tie breaking are this close to its mean.
    tolerance = 2e-3 if ties == "expected" and levels else 2e-6
    np.testing.assert_allclose(
        values(metrics.auc_judd(saliency, fixations, ties=ties)), wanted, atol=tolerance
    )


def test_auc_judd_by_hand():
    saliency = np.array([[[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]]])
    fixations = np.array([[[1, 0, 0], [1, 0, 0]]])
    # Curve (0, 0), (0, 1/2), (2/4, 1), (1, 1).
    np.testing.assert_allclose(values(metrics.auc_judd(saliency, fixations)), [0.875])


@pytest.mark.parametrize("levels", [None, 5])
def test_rank_aucs_equal_scikit_learn_with_half_ties(levels):
    saliency, fixations, others, _ = frames(seed=1, levels=levels)
    shuffled, uniform = [], []
    for s, f, o in zip(saliency, fixations, others):
        hits = np.repeat(s.ravel(), f.ravel())
        for result, false in ((shuffled, np.repeat(s.ravel(), o.ravel())), (uniform, s.ravel())):
            labels = np.r_[np.ones(len(hits)), np.zeros(len(false))]
            result.append(roc_auc_score(labels, np.r_[hits, false]))
    np.testing.assert_allclose(
        values(metrics.auc_shuffled(saliency, fixations, others)), shuffled, atol=1e-6
    )
    np.testing.assert_allclose(values(metrics.auc_uniform(saliency, fixations)), uniform, atol=1e-6)


def test_sampled_aucs_agree_with_the_matlab_procedure():
    saliency, fixations, others, _ = frames(seed=2, batch=2, levels=20)
    options = {"num_splits": 400, "seed": 3}
    borji = [reference.auc_borji(s, f, 400, 0) for s, f in zip(saliency, fixations)]
    shuffled = [
        reference.auc_borji(s, f, 400, 0, o) for s, f, o in zip(saliency, fixations, others)
    ]
    np.testing.assert_allclose(
        values(metrics.auc_borji(saliency, fixations, **options)), borji, atol=0.012
    )
    np.testing.assert_allclose(
        values(metrics.auc_shuffled_sampled(saliency, fixations, others, **options)),
        shuffled,
        atol=0.012,
    )


def test_sampled_shuffled_auc_draws_without_replacement():
    # As many draws as there are other pixels: every split contains all of them, nothing is random.
    saliency = np.array([[[0.95, 0.55, 0.75], [0.35, 0.05, 0.0], [0.15, 0.25, 1.0]]])
    fixations = np.array([[[1, 1, 0], [0, 0, 0], [1, 0, 0]]])
    others = np.array([[[0, 0, 1], [1, 1, 0], [0, 0, 0]]])
    for seed in (0, 1):
        result = metrics.auc_shuffled_sampled(saliency, fixations, others, num_splits=7, seed=seed)
        np.testing.assert_allclose(values(result), [6 / 9], rtol=1e-6)


def test_sampled_aucs_depend_on_the_seed_and_on_nothing_else():
    saliency, fixations, _, _ = frames()
    whole = values(metrics.auc_borji(saliency, fixations, num_splits=5))
    alone = values(metrics.auc_borji(saliency[1:2], fixations[1:2], num_splits=5))
    np.testing.assert_array_equal(whole[1:2], alone)
    other = values(metrics.auc_borji(saliency, fixations, num_splits=5, seed=1))
    assert (whole != other).all()


@pytest.mark.parametrize("min_max_first", [True, False])
@pytest.mark.parametrize("ddof", [0, 1])
def test_value_metrics_equal_their_definitions(ddof, min_max_first):
    saliency, fixations, _, truth = frames(seed=4)
    base = np.random.default_rng(5).random(saliency.shape) + 0.1
    zipped = list(zip(saliency.astype("float64"), fixations, truth.astype("float64"), base))
    found = {
        "nss": metrics.nss(saliency, fixations, ddof=ddof),
        "cc": metrics.cc(saliency, truth),
        "similarity": metrics.similarity(saliency, truth, min_max_first=min_max_first),
        "kl": metrics.kl_divergence(saliency, truth, epsilon=1e-7),
        "gain": metrics.information_gain(saliency, fixations, base),
        "nats": metrics.log_likelihood(saliency, fixations),
    }
    wanted = {
        "nss": [reference.nss(s, f, ddof) for s, f, _, _ in zipped],
        "cc": [reference.cc(s, t) for s, _, t, _ in zipped],
        "similarity": [reference.similarity(s, t, min_max_first) for s, _, t, _ in zipped],
        "kl": [reference.kl_divergence(s, t, 1e-7) for s, _, t, _ in zipped],
        "gain": [reference.information_gain(s, f, b) for s, f, _, b in zipped],
        "nats": [
            reference.information_gain(s, f, np.ones_like(s)) * np.log(2) for s, f, _, _ in zipped
        ],
    }
    for name, result in found.items():
        np.testing.assert_allclose(values(result), wanted[name], rtol=2e-6, atol=1e-6, err_msg=name)


def test_information_gain_scaled_first_as_in_the_mit_benchmark():
    saliency, fixations, _, truth = frames(seed=6)
    scaled = (saliency - saliency.min((1, 2), keepdims=True)) / np.ptp(
        saliency, (1, 2), keepdims=True
    )
    base = (truth - truth.min((1, 2), keepdims=True)) / np.ptp(truth, (1, 2), keepdims=True)
    np.testing.assert_allclose(
        values(metrics.information_gain(saliency, fixations, truth, min_max_first=True)),
        values(metrics.information_gain(scaled, fixations, base)),
        rtol=1e-5,
    )


def test_closed_forms():
    density = np.full((1, 10, 10), 0.5 / 99)
    density[0, 3, 4] = 0.5
    fixation = np.zeros((1, 10, 10), "uint8")
    fixation[0, 3, 4] = 3
    uniform = np.ones((1, 10, 10))
    np.testing.assert_allclose(
        values(metrics.log_likelihood(density, fixation)), np.log(50), rtol=1e-6
    )
    np.testing.assert_allclose(
        values(metrics.information_gain(density, fixation, uniform)), np.log2(50), rtol=1e-6
    )
    np.testing.assert_allclose(values(metrics.nss(density, fixation)), np.sqrt(99), rtol=1e-5)
    np.testing.assert_allclose(values(metrics.kl_divergence(density, density)), 0, atol=1e-6)
    np.testing.assert_allclose(values(metrics.similarity(density, density)), 1, rtol=1e-6)
    np.testing.assert_allclose(values(metrics.cc(density, 1 - density)), -1, rtol=1e-5)
    # Half of the mass overlaps: 0.01 at the peak and 0.5 elsewhere.
    np.testing.assert_allclose(
        values(metrics.similarity(density, uniform, min_max_first=False)), 0.51, rtol=1e-5
    )


def test_repeated_fixations_count_repeatedly_or_once():
    saliency = np.array([[[0.1, 0.4], [0.2, 0.3]]])
    counts = np.array([[[0, 3], [1, 0]]])
    once = np.minimum(counts, 1)
    for function in (metrics.nss, metrics.log_likelihood):
        assert values(function(saliency, counts)) > values(function(saliency, once))
        np.testing.assert_array_equal(
            values(function(saliency, counts, duplicates=False)), values(function(saliency, once))
        )


@pytest.mark.parametrize("level", [0.0, 0.1, 7.0])
def test_a_constant_map_scores_chance_and_is_not_left_out(level):
    saliency = np.full((1, 11, 13), level)
    _, fixations, others, truth = frames(seed=7, batch=1, height=11, width=13)
    n = int((fixations > 0).sum())
    uniform = truth[0] / truth.sum()
    wanted = {
        "auc_judd": 0.5,
        "auc_uniform": 0.5,
        "auc_borji": 0.5,
        "auc_shuffled": 0.5,
        "auc_shuffled_sampled": 0.5,
        "nss": 0.0,
        "cc": 0.0,
        "log_likelihood": 0.0,
    }
    for name, value in wanted.items():
        second = {"cc": [truth]}.get(name, [fixations])
        second += [others] if "shuffled" in name else []
        result = values(getattr(metrics, name)(saliency, *second))
        np.testing.assert_allclose(result, [value], atol=1e-6, err_msg=name)
    chance = values(metrics.auc_judd(saliency, fixations, ties="expected"))
    np.testing.assert_allclose(chance, [(n + 2) / (2 * n + 2)], atol=1e-6)
    np.testing.assert_allclose(
        values(metrics.kl_divergence(saliency, truth)),
        [(uniform * np.log(uniform * uniform.size + 1e-30)).sum()],
        rtol=1e-4,
    )
    assert 0 < values(metrics.similarity(saliency, truth))[0] < 1


def test_a_frame_without_fixations_is_nan_and_affects_no_other():
    saliency, fixations, others, truth = frames(seed=8)
    alone = {n: values(v) for n, v in everything(saliency, fixations, others, truth).items()}
    fixations = fixations.copy()
    fixations[1] = 0
    for name, result in everything(saliency, fixations, others, truth).items():
        result, wanted = values(result), alone[name].copy()
        if name not in ("cc", "similarity", "kl_divergence"):
            wanted[1] = NAN
        np.testing.assert_allclose(result, wanted, atol=1e-6, err_msg=name)


def test_undefined_truth_and_negatives_are_nan():
    saliency, fixations, _, truth = frames(seed=9, batch=1)
    nothing = np.zeros_like(truth)
    assert np.isnan(values(metrics.cc(saliency, nothing)))
    assert np.isnan(values(metrics.similarity(saliency, nothing)))
    assert np.isnan(values(metrics.kl_divergence(saliency, nothing)))
    assert np.isnan(values(metrics.auc_shuffled(saliency, fixations, nothing)))
    assert np.isnan(values(metrics.auc_shuffled_sampled(saliency, fixations, nothing)))
    everywhere = np.ones_like(fixations)
    assert np.isnan(values(metrics.auc_judd(saliency, everywhere)))
    np.testing.assert_allclose(values(metrics.auc_uniform(saliency, everywhere)), 0.5, atol=1e-6)
    np.testing.assert_allclose(values(metrics.nss(saliency, everywhere)), 0, atol=1e-5)


@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_a_map_that_is_not_finite_is_an_error(bad):
    saliency, fixations, _, truth = frames(batch=1)
    saliency[0, 2, 2] = bad
    for function, second in ((metrics.auc_judd, fixations), (metrics.cc, truth)):
        with pytest.raises(ValueError, match="`saliency` must be finite"):
            function(saliency, second)
    with pytest.raises(ValueError, match="`saliency` must be finite"):
        metrics.saliency_metrics(saliency, fixations)
    with pytest.raises(ValueError, match="`other_fixations` must be finite"):
        metrics.auc_shuffled(truth, fixations, np.full_like(truth, bad))


def test_shapes_and_signs_are_checked():
    saliency, fixations, _, truth = frames(batch=2)
    with pytest.raises(ValueError, match=r"the same shape; resize.*\(2, 23, 31\)"):
        metrics.nss(saliency, fixations[:, :-1])
    with pytest.raises(ValueError, match=r"batch, height, width.*\(23, 31\)"):
        metrics.nss(saliency[0], fixations[0])
    with pytest.raises(ValueError, match="must not be negative"):
        metrics.kl_divergence(saliency - 0.5, truth)
    with pytest.raises(ValueError, match="must not be negative"):
        metrics.saliency_metrics(saliency - 0.5, fixations)
    with pytest.raises(ValueError, match="`ties` must be one of"):
        metrics.auc_judd(saliency, fixations, ties="random")
    with pytest.raises(ValueError, match="the same shape; resize"):
        metrics.saliency_metrics(saliency, fixations, truth[:, :4])


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "bool"])
def test_input_types_may_be_mixed(dtype):
    saliency, fixations, _, _ = frames(batch=1, levels=8)
    counts = (fixations > 0).astype(dtype)
    result = values(metrics.nss((saliency * 8).astype("uint8"), counts))
    np.testing.assert_allclose(result, values(metrics.nss(saliency, fixations > 0)), rtol=1e-5)
    fast = metrics.saliency_metrics((saliency * 8).astype("uint8"), counts)
    np.testing.assert_allclose(fast["nss"], result, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e30])
def test_the_scale_of_a_map_does_not_matter(scale):
    saliency, fixations, others, truth = frames(seed=10)
    wanted = metrics.saliency_metrics(saliency, fixations, truth, others, truth)
    scaled = (saliency * np.float32(scale), fixations, others, truth)
    fast = metrics.saliency_metrics(scaled[0], fixations, truth, others, truth)
    for name, result in everything(*scaled).items():
        if name in wanted:
            np.testing.assert_allclose(values(result), wanted[name], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(fast[name], wanted[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ties", ["together", "listed", "expected"])
@pytest.mark.parametrize("levels", [None, 6])
def test_the_fast_path_equals_the_functions(levels, ties):
    saliency, fixations, others, truth = frames(seed=11, batch=4, levels=levels)
    saliency[2] = 0.3
    fixations[3] = 0
    wanted = everything(saliency, fixations, others, truth, ties)
    for type_ in ("float32", "float64"):
        found = metrics.saliency_metrics(
            saliency.astype(type_), fixations, truth, others, truth, ties=ties
        )
        assert len(found) == 8
        for name, result in found.items():
            np.testing.assert_allclose(result, values(wanted[name]), atol=3e-6, err_msg=name)


def test_the_fast_path_sorts_for_many_fixations_and_shares_maps():
    rng = np.random.default_rng(12)
    saliency = np.round(rng.random((2, 40, 50)), 3).astype("float32")
    fixations = rng.poisson(0.2, saliency.shape)
    other, base = rng.poisson(0.3, (40, 50)), rng.random((40, 50)) + 0.1
    for ties in ("together", "listed", "expected"):
        found = metrics.saliency_metrics(
            saliency, fixations, None, other, base, ties=ties, duplicates=False
        )
        others, bases = (np.broadcast_to(x, saliency.shape) for x in (other, base))
        judd = metrics.auc_judd(saliency, fixations, ties=ties)
        np.testing.assert_allclose(found["auc_judd"], values(judd), atol=1e-6)
    gain = metrics.information_gain(saliency, fixations, bases, duplicates=False)
    np.testing.assert_allclose(found["information_gain"], values(gain), atol=1e-5)
    shuffled = metrics.auc_shuffled(saliency, fixations, others)
    np.testing.assert_allclose(found["auc_shuffled"], values(shuffled), atol=1e-6)


def test_means_skip_undefined_frames_and_weigh_videos_equally():
    frame_values = [1.0, NAN, 3.0, 5.0, NAN]
    videos = ["a", "a", "b", "b", "c"]
    assert metrics.frame_mean(frame_values) == 3.0
    assert metrics.video_mean(frame_values, videos) == 2.5
    assert np.isnan(metrics.frame_mean([NAN]))
    assert np.isnan(metrics.video_mean([NAN], [0]))
    with pytest.raises(ValueError, match="one entry per frame"):
        metrics.video_mean(frame_values, videos[:2])


def everything(saliency, fixations, others, truth, ties="together") -> dict:
    return {
        "auc_judd": metrics.auc_judd(saliency, fixations, ties=ties),
        "auc_uniform": metrics.auc_uniform(saliency, fixations),
        "auc_borji": metrics.auc_borji(saliency, fixations, num_splits=3),
        "auc_shuffled": metrics.auc_shuffled(saliency, fixations, others),
        "auc_shuffled_sampled": metrics.auc_shuffled_sampled(
            saliency, fixations, others, num_splits=3
        ),
        "nss": metrics.nss(saliency, fixations),
        "cc": metrics.cc(saliency, truth),
        "similarity": metrics.similarity(saliency, truth),
        "kl_divergence": metrics.kl_divergence(saliency, truth),
        "information_gain": metrics.information_gain(saliency, fixations, truth),
        "log_likelihood": metrics.log_likelihood(saliency, fixations),
    }


def pysaliency_case():
    """The two pictures, the fixations and the Gaussian of pysaliency's own AUC test."""
    rows, columns = np.mgrid[:40, :40]
    squares = (columns - 20) ** 2 + (rows - 20) ** 2
    saliency = np.exp(-0.5 * squares / np.sqrt(2 * 40**2))
    fixations = np.zeros((2, 40, 40))
    np.add.at(fixations[0], ([10, 11, 12, 12, 12], [0, 1, 2, 2, 2]), 1)
    np.add.at(fixations[1], ([21, 25, 33], [1, 5, 3]), 1)
    return np.stack([saliency, saliency]), fixations


def test_repeated_fixations_as_pysaliency_counts_them():
    saliency, fixations = pysaliency_case()
    found = np.asarray(metrics.auc_judd(saliency, fixations, duplicates=True))
    np.testing.assert_allclose(found.mean(), 0.44504278856188684, rtol=1e-6)
    once = np.asarray(metrics.auc_judd(saliency, fixations))
    assert abs(once.mean() - found.mean()) > 0.01 and once[1] == found[1]
    metric = metrics.AUCJudd(duplicates=True)
    metric = type(metric).from_config(metric.get_config())
    metric.update_state(fixations, saliency)
    np.testing.assert_allclose(float(metric.result()), 0.44504278856188684, rtol=1e-6)
    for duplicates in (True, False):
        fast = metrics.saliency_metrics(saliency, fixations, duplicates=duplicates)["auc_judd"]
        np.testing.assert_allclose(fast, once, rtol=1e-6)
    with pytest.raises(ValueError, match='must be used with ties="together"'):
        metrics.auc_judd(saliency, fixations, ties="expected", duplicates=True)
