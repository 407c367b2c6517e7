"""AUCs with randomly drawn negatives, as in the code of the MIT benchmark, but from a seed."""

from __future__ import annotations

import keras
from keras import ops

from zoo.metrics.maps import check_not_negative, flat_maps, min_max, or_nan

_TABLE = 2048  # random numbers per split; reused only for frames with more draws


def auc_borji(saliency, fixations, *, num_splits: int = 100, step: float = 0.1, seed: int = 0):
    """AUC-Borji: fixated pixels against as many pixels drawn uniformly with replacement.

    Maps are first scaled to [0, 1]; thresholds are 0, step, 2 step, ..., 1. The result is the
    mean over the splits. The draws depend only on the seed, so a frame has the same value in any
    batch. `auc_uniform` is the corresponding value without random draws.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations in each pixel (batch, height, width); each fixated pixel
            counts once.
        num_splits: Number of times a set of negatives is drawn.
        step: Distance between thresholds.
        seed: Random seed of the draws.

    Returns:
        (batch,) float32; NaN if there are no fixations.

    Raises:
        ValueError: The maps' shapes or values, or an option, are invalid.

    Example: `zoo.metrics.auc_borji(saliency, fixations, num_splits=10)`
    """
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(fixations=fixations)
    return _sampled_auc(saliency, fixations, ops.ones_like(saliency), True, num_splits, step, seed)


def auc_shuffled_sampled(
    saliency,
    fixations,
    other_fixations,
    *,
    num_splits: int = 100,
    step: float = 0.1,
    seed: int = 0,
):
    """Sampled shuffled AUC: negatives are drawn from the pixels fixated in other frames.

    Like `auc_borji`, but each split draws, without replacement, from the pixels fixated in other
    frames: as many as the frame has fixated pixels, or all of them if there are fewer. DHF1K uses
    the fixations of 10 random frames of the data set. `auc_shuffled` is the corresponding value
    without random draws.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations in each pixel (batch, height, width); each fixated pixel
            counts once.
        other_fixations: The same for the other frames (batch, height, width).
        num_splits: Number of times a set of negatives is drawn.
        step: Distance between thresholds.
        seed: Random seed of the draws.

    Returns:
        (batch,) float32; NaN if there are no fixations or no other fixations.

    Raises:
        ValueError: The maps' shapes or values, or an option, are invalid.

    Example: `zoo.metrics.auc_shuffled_sampled(saliency, fixations, other_fixations)`
    """
    saliency, fixations, others = flat_maps(
        saliency=saliency, fixations=fixations, other_fixations=other_fixations
    )
    check_not_negative(fixations=fixations, other_fixations=others)
    return _sampled_auc(saliency, fixations, others, False, num_splits, step, seed)


def _sampled_auc(saliency, fixations, negatives, replace, num_splits, step, seed):
    if num_splits < 1:
        raise ValueError(f"`num_splits` must be at least 1. Received: num_splits={num_splits}")
    if not 0 < step <= 1:
        raise ValueError(f"`step` must be above 0 and at most 1. Received: step={step}")
    thresholds = [step * i for i in range(int(1 / step + 1e-6), -1, -1)]
    reached = _bins(min_max(saliency), thresholds)
    positives = _histogram(reached, fixations > 0, len(thresholds))
    pool = _histogram(reached, negatives > 0, len(thresholds))
    draws = ops.sum(positives, axis=1)
    if not replace:
        draws = ops.minimum(draws, ops.sum(pool, axis=1))
    drawn = _draw(pool, draws, replace, num_splits, seed)  # (batch, splits, bins)
    defined = draws > 0
    hits = ops.cumsum(positives, axis=1) / ops.maximum(ops.sum(positives, axis=1), 1.0)[:, None]
    false = ops.cumsum(drawn, axis=2) / ops.maximum(draws, 1.0)[:, None, None]
    before = ops.pad(hits, ((0, 0), (1, 0)))[:, None, :-1]
    widths = false - ops.pad(false, ((0, 0), (0, 0), (1, 0)))[:, :, :-1]
    area = ops.sum(widths * (hits[:, None, :] + before) / 2.0, axis=2)
    finite = ops.all(ops.isfinite(saliency), axis=1)
    return or_nan(ops.mean(area, axis=1), defined & finite)


def _bins(scaled, thresholds):
    """Index of the first of the descending thresholds that each value reaches; the last is 0."""
    missed = [ops.cast(scaled < threshold, "int32") for threshold in thresholds[:-1]]
    return sum(missed) if missed else ops.zeros_like(scaled, dtype="int32")


def _histogram(bins, member, num_bins: int):
    counts = [ops.sum(ops.cast(member & (bins == i), "float32"), axis=1) for i in range(num_bins)]
    return ops.stack(counts, axis=1)


def _draw(pool, draws, replace: bool, num_splits: int, seed: int):
    """Draw items one by one from bins with `pool` items; return the number drawn from each."""
    bins = pool.shape[1]
    uniform = keras.random.uniform((_TABLE, num_splits), seed=seed, dtype="float32")
    pool = ops.repeat(pool[:, None, :], num_splits, axis=1)
    last = ops.cast(ops.max(ops.pad(draws, (0, 1))), "int32")  # 0 for an empty batch

    def more(i, left, drawn):
        return i < last

    def one(i, left, drawn):
        ends = ops.cumsum(left, axis=2)
        total = ends[:, :, -1]
        place = ops.minimum(ops.floor(ops.take(uniform, i % _TABLE, axis=0) * total), total - 1.0)
        bin_ = ops.sum(ops.cast(ends <= place[:, :, None], "int32"), axis=2)
        taken = ops.one_hot(ops.minimum(bin_, bins - 1), bins, dtype="float32")
        taken = taken * ops.cast(ops.cast(i, "float32") < draws, "float32")[:, None, None]
        return i + 1, left if replace else left - taken, drawn + taken

    start = (ops.convert_to_tensor(0, "int32"), pool, ops.zeros_like(pool))
    return ops.while_loop(more, one, start)[2]
