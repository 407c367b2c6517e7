"""Simple float64 implementations of the published definitions, written for readability."""

from __future__ import annotations

import numpy as np


def trapezoid(hits, false) -> float:
    hits, false = np.r_[0.0, hits, 1.0], np.r_[0.0, false, 1.0]
    return float(np.sum(np.diff(false) * (hits[1:] + hits[:-1]) / 2))


def auc_judd(saliency, fixations, ties="together") -> float:
    values = np.sort(saliency[fixations > 0])[::-1]
    n, rest = len(values), saliency.size - len(values)
    place = np.arange(1, n + 1)
    at_least = np.array([(saliency >= v).sum() for v in values])
    if ties == "listed":
        return trapezoid(place / n, (at_least - place) / rest)
    if ties == "together":
        place = np.array([(values >= v).sum() for v in values])
        return trapezoid(place / n, (at_least - place) / rest)
    noise = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        noisy = saliency + noise.uniform(0, 1e-7, saliency.shape)
        draws.append(auc_judd(noisy, fixations))
    return float(np.mean(draws))


def nss(saliency, fixations, ddof=0) -> float:
    z = (saliency - saliency.mean()) / saliency.std(ddof=ddof)
    return float(np.average(z, weights=fixations))


def cc(saliency, truth) -> float:
    return float(np.corrcoef(saliency.ravel(), truth.ravel())[0, 1])


def similarity(saliency, truth, min_max_first=True) -> float:
    def scaled(x):
        x = (x - x.min()) / (x.max() - x.min()) if min_max_first else x
        return x / x.sum()

    return float(np.minimum(scaled(saliency), scaled(truth)).sum())


def kl_divergence(saliency, truth, epsilon=2.22e-16) -> float:
    p, q = saliency / saliency.sum(), truth / truth.sum()
    return float((q * np.log(epsilon + q / (p + epsilon))).sum())


def information_gain(saliency, fixations, baseline, epsilon=2.22e-16) -> float:
    p, b = saliency / saliency.sum(), baseline / baseline.sum()
    return float(np.average(np.log2(p + epsilon) - np.log2(b + epsilon), weights=fixations))


def auc_borji(saliency, fixations, splits, seed, others=None, step=0.1) -> float:
    """Follows the Matlab code line by line; negatives from `others`' pixels without replacement."""
    rng = np.random.default_rng(seed)
    saliency = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    at_fixations = saliency[fixations > 0]
    n, areas = len(at_fixations), []
    for _ in range(splits):
        if others is None:
            drawn = saliency.ravel()[rng.integers(0, saliency.size, n)]
        else:
            drawn = rng.permutation(saliency[others > 0])[:n]
        top = max(at_fixations.max(), drawn.max())
        thresholds = np.arange(0, top + 1e-9, step)[::-1]
        hits = [(at_fixations >= t).mean() for t in thresholds]
        areas.append(trapezoid(hits, [(drawn >= t).mean() for t in thresholds]))
    return float(np.mean(areas))
