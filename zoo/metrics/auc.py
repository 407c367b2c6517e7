"""Areas under the ROC curve of a saliency map, without drawing or random ties."""

from __future__ import annotations

from keras import ops

from zoo.metrics.maps import check_not_negative, fixation_weights, flat_maps, or_nan

TIES = ("together", "expected", "listed")


def auc_judd(saliency, fixations, *, ties: str = "together", duplicates: bool = False):
    """AUC-Judd: the fixated pixels against all other pixels, thresholds at the fixated values.

    With N fixated pixels (each counts once, or with `duplicates` as often as it is fixated) of P
    and the fixated values t_i in descending order, the curve runs through (0, 0), (fp_i, tp_i) and
    (1, 1), where tp_i = i / N and fp_i = (#{S >= t_i} - i) / (P - N). Without equal values all
    choices of `ties` agree. The published code adds random numbers below 1e-7 to break ties; here
    nothing is random.

    Args:
        saliency: Predicted maps (batch, height, width); any monotone scale.
        fixations: Number of fixations of each pixel (batch, height, width).
        ties: What a group of equal values does. `"together"`: one threshold, i counts all fixated
            pixels at or above it; a constant map scores 0.5. `"expected"`: the exact mean over
            the published code's random numbers; a constant map scores (N + 2) / (2 N + 2), which
            is also this metric's chance level. `"listed"`: i is the place in the list of values,
            as in ports of the code with the random numbers switched off.
        duplicates: Whether several fixations of a pixel count several times, as in pysaliency's
            `AUC_Judd`; not with `ties="expected"`, whose random numbers are the pixels' own.

    Returns:
        (batch,) float32. NaN where no pixel, or every pixel, is fixated.
    """
    check_ties(ties, duplicates)
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(fixations=fixations)
    fixated = fixation_weights(fixations, duplicates)
    others = ops.cast(fixations == 0, "float32")
    positives, negatives = _sums_by_value(saliency, fixated, others)
    num_positives = ops.sum(fixated, axis=1, keepdims=True)
    num_negatives = ops.sum(negatives, axis=1, keepdims=True)
    before = _exclusive_cumsum(positives)
    lost = 0.0
    if ties == "together":
        # Negatives between two thresholds lie on the line to the next lower threshold.
        ids = _exclusive_cumsum(ops.cast(positives > 0, "float32"))
        positives, negatives = _segment_sums(ids, positives, negatives)
        wins = _exclusive_cumsum(positives) + positives / 2.0
    elif ties == "expected":
        # The j-th of m tied fixated pixels has n j / (m + 1) of the n tied others above it.
        lower = before + positives < num_positives
        tied = (positives + 1.0) / 2.0
        tied_last = positives * (positives + 2.0) / (2.0 * positives + 2.0)
        between = ops.where(lower, 0.5, 0.0)
        wins = before + ops.where(positives > 0, ops.where(lower, tied, tied_last), between)
    else:
        wins = before + ops.where(before < num_positives, 0.5, 0.0)
        lost = ops.sum(positives * (positives - 1.0) / 2.0, axis=1)
    defined = (num_positives > 0) & (num_negatives > 0)
    num_positives = ops.where(defined, num_positives, 1.0)
    num_negatives = ops.where(defined, num_negatives, 1.0)
    area = ops.sum((negatives / num_negatives) * (wins / num_positives), axis=1)
    area = area - lost / (num_positives * num_negatives)[:, 0]
    return _defined(area, defined[:, 0], saliency)


def auc_uniform(saliency, fixations):
    """AUC of the fixations against all pixels: the rank statistic, equal values count half.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations of each pixel (batch, height, width); repeated fixations
            count repeatedly.

    Returns:
        (batch,) float32. NaN where there is no fixation.

    Reference: pysaliency's `AUC`.
    """
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(fixations=fixations)
    return _rank_auc(saliency, fixations, ops.ones_like(fixations))


def auc_shuffled(saliency, fixations, other_fixations):
    """Exact shuffled AUC: the fixations against all fixations of other frames.

    The probability that a fixation's value exceeds that of a fixation of another frame, equal
    values counting half: the limit of the sampled shuffled AUC with fine thresholds and many
    draws, without drawing. The other fixations must come from other videos.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations of each pixel (batch, height, width).
        other_fixations: The same of the other frames (batch, height, width).

    Returns:
        (batch,) float32. NaN where there is no fixation or no other fixation.
    """
    saliency, fixations, others = flat_maps(
        saliency=saliency, fixations=fixations, other_fixations=other_fixations
    )
    check_not_negative(fixations=fixations, other_fixations=others)
    return _rank_auc(saliency, fixations, others)


def check_ties(ties: str, duplicates: bool = False) -> None:
    if ties not in TIES:
        raise ValueError(f"`ties` must be one of {TIES}. Received: ties={ties!r}")
    if duplicates and ties == "expected":
        raise ValueError(
            '`duplicates` needs ties="together" or ties="listed". '
            "Received: ties='expected', duplicates=True"
        )


def _rank_auc(saliency, positives, negatives):
    positives, negatives = _sums_by_value(saliency, positives, negatives)
    num_positives = ops.sum(positives, axis=1, keepdims=True)
    num_negatives = ops.sum(negatives, axis=1, keepdims=True)
    defined = (num_positives > 0) & (num_negatives > 0)
    wins = _exclusive_cumsum(positives) + positives / 2.0  # Exact in float32: halves of counts.
    wins = wins / ops.where(defined, num_positives, 1.0)
    area = ops.sum((negatives / ops.where(defined, num_negatives, 1.0)) * wins, axis=1)
    return _defined(area, defined[:, 0], saliency)


def _defined(area, defined, saliency):
    return or_nan(area, defined & ops.all(ops.isfinite(saliency), axis=1))


def _sums_by_value(saliency, *weights):
    """Sums of the weights over equal values of saliency, from the highest value down.

    The results have the shape (batch, pixels); places past the number of values hold zeros.
    """
    order = ops.argsort(-saliency, axis=1)
    values = ops.take_along_axis(saliency, order, axis=1)
    steps = ops.cast(values[:, 1:] != values[:, :-1], "float32")
    ids = ops.pad(ops.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    return _segment_sums(ids, *[ops.take_along_axis(w, order, axis=1) for w in weights])


def _segment_sums(ids, *weights):
    batch, pixels = ops.shape(ids)
    ids = ops.cast(ids, "int32") + pixels * ops.arange(batch, dtype="int32")[:, None]
    # One more element of no weight and one more segment: PyTorch's sum takes no empty batch.
    ids = ops.pad(ops.reshape(ids, (-1,)), ((0, 1),))
    total = batch * pixels
    flat = [ops.pad(ops.reshape(w, (-1,)), ((0, 1),)) for w in weights]
    sums = [ops.segment_sum(w, ids, total + 1)[:total] for w in flat]
    return [ops.reshape(found, (batch, pixels)) for found in sums]


def _exclusive_cumsum(x):
    return ops.cumsum(x, axis=1) - x
