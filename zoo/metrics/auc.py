"""Areas under the ROC curve of a saliency map, without random sampling or random tie-breaking."""

from __future__ import annotations

from keras import ops

from zoo.metrics.maps import check_not_negative, fixation_weights, flat_maps, or_nan

TIES = ("together", "expected", "listed")


def auc_judd(saliency, fixations, *, ties: str = "together", duplicates: bool = False):
    """AUC-Judd: fixated pixels against all other pixels, with thresholds at the fixated values.

    Let N of P pixels be fixated (each counts once or, with `duplicates`, as often as it is
    fixated), and t_i be the fixated values in descending order. The curve runs through (0, 0),
    (fp_i, tp_i) and (1, 1), where tp_i = i / N and fp_i = (#{S >= t_i} - i) / (P - N). Without
    equal values, all choices of `ties` agree. The published code adds random numbers below 1e-7 to
    break ties; here nothing is random.

    Args:
        saliency: Predicted maps (batch, height, width) on any monotone scale.
        fixations: Number of fixations in each pixel (batch, height, width).
        ties: How equal values are treated. `"together"`: as one threshold, where i counts all
            fixated pixels at or above it; a constant map scores 0.5. `"expected"`: the exact mean
            over the random numbers of the published code; a constant map scores (N + 2) / (2 N +
            2), which is also the chance level of this metric. `"listed"`: i is the position in
            the list of values, as in ports of the code without the random numbers.
        duplicates: Whether several fixations of a pixel count several times, as in pysaliency's
            `AUC_Judd`; not with `ties="expected"`, where each pixel has one random number.

    Returns:
        (batch,) float32; NaN if no pixel or every pixel is fixated.

    Raises:
        ValueError: The maps' shapes or values are invalid, or the options contradict each other.

    Example: `zoo.metrics.auc_judd(saliency, fixations)`
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
    """AUC of the fixations against all pixels: the rank statistic, where equal values count half.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations in each pixel (batch, height, width); repeated fixations
            count repeatedly.

    Returns:
        (batch,) float32; NaN if there are no fixations.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.auc_uniform(saliency, fixations)`

    Reference: pysaliency's `AUC`.
    """
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(fixations=fixations)
    return _rank_auc(saliency, fixations, ops.ones_like(fixations))


def auc_shuffled(saliency, fixations, other_fixations):
    """Exact shuffled AUC: the fixations against all fixations of other frames.

    The probability that the value at a fixation exceeds the value at a fixation of another frame,
    where equal values count half. The sampled shuffled AUC converges to it with fine thresholds
    and many draws. The other fixations must come from other videos.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations in each pixel (batch, height, width).
        other_fixations: The same for the other frames (batch, height, width).

    Returns:
        (batch,) float32; NaN if there are no fixations or no other fixations.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.auc_shuffled(saliency, fixations, other_fixations)`
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
            '`duplicates` must be used with ties="together" or ties="listed". '
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
    """Sums of the weights over equal values of saliency, in descending order of value.

    The results have the shape (batch, pixels), padded with zeros after the last distinct value.
    """
    order = ops.argsort(-saliency, axis=1)
    values = ops.take_along_axis(saliency, order, axis=1)
    steps = ops.cast(values[:, 1:] != values[:, :-1], "float32")
    ids = ops.pad(ops.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    return _segment_sums(ids, *[ops.take_along_axis(w, order, axis=1) for w in weights])


def _segment_sums(ids, *weights):
    batch, pixels = ops.shape(ids)
    ids = ops.cast(ids, "int32") + pixels * ops.arange(batch, dtype="int32")[:, None]
    # Add one element of zero weight and one segment: PyTorch's sum fails for an empty batch.
    ids = ops.pad(ops.reshape(ids, (-1,)), ((0, 1),))
    total = batch * pixels
    flat = [ops.pad(ops.reshape(w, (-1,)), ((0, 1),)) for w in weights]
    sums = [ops.segment_sum(w, ids, total + 1)[:total] for w in flat]
    return [ops.reshape(found, (batch, pixels)) for found in sums]


def _exclusive_cumsum(x):
    return ops.cumsum(x, axis=1) - x
