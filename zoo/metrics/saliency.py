"""Saliency metrics based on values: NSS, CC, SIM, KL, information gain and log-likelihood.

All take maps of shape (batch, height, width) and return one float32 value per frame.
"""

from __future__ import annotations

import math

from keras import ops

from zoo.metrics.maps import (
    EPSILON,
    check_not_negative,
    density,
    fixation_weights,
    flat_maps,
    is_constant,
    min_max,
    or_nan,
    weighted_mean,
)


def nss(saliency, fixations, *, ddof: int = 0, duplicates: bool = True):
    """Normalised scanpath saliency: the mean of (S - mean) / std at the fixations.

    Args:
        saliency: Predicted maps (batch, height, width).
        fixations: Number of fixations in each pixel (batch, height, width).
        ddof: 0 divides the variance by the number of pixels n (pysaliency), 1 by n - 1 (Matlab).
        duplicates: Whether several fixations of a pixel count several times (pysaliency) or once
            (Matlab, whose fixation maps are binary).

    Returns:
        (batch,) float32; NaN if there are no fixations. A constant map scores 0.

    Raises:
        ValueError: The maps' shapes or values are invalid, or `ddof` is not 0 or 1.

    Example: `zoo.metrics.nss(saliency, fixations)`
    """
    if ddof not in (0, 1):
        raise ValueError(f"`ddof` must be 0 or 1. Received: ddof={ddof}")
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(fixations=fixations)
    constant = is_constant(saliency)
    scaled = min_max(saliency)  # NSS is independent of scale; this one suits float32
    centred = scaled - ops.mean(scaled, axis=1, keepdims=True)
    pixels = ops.cast(ops.shape(saliency)[1], "float32")
    variance = ops.sum(centred * centred, axis=1) / ops.maximum(pixels - ddof, 1.0)
    std = ops.sqrt(ops.where(constant, 1.0, variance))
    values = ops.where(constant[:, None], 0.0, centred / std[:, None])
    return weighted_mean(values, fixation_weights(fixations, duplicates))


def cc(saliency, truth):
    """Pearson's correlation of the predicted and the true map.

    Args:
        saliency: Predicted maps (batch, height, width).
        truth: Ground-truth maps (batch, height, width).

    Returns:
        (batch,) float32; NaN if the truth is constant. A constant prediction scores 0.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.cc(saliency, truth)`
    """
    saliency, truth = flat_maps(saliency=saliency, truth=truth)
    undefined = is_constant(truth)
    constant = is_constant(saliency) | undefined
    one, other = min_max(saliency), min_max(truth)
    one = one - ops.mean(one, axis=1, keepdims=True)
    other = other - ops.mean(other, axis=1, keepdims=True)
    scale = ops.sqrt(ops.sum(one * one, axis=1)) * ops.sqrt(ops.sum(other * other, axis=1))
    value = ops.sum(one * other, axis=1) / ops.where(constant, 1.0, scale)
    return or_nan(ops.where(constant, 0.0, value), ~undefined)


def similarity(saliency, truth, *, min_max_first: bool = True):
    """Histogram intersection (SIM): the sum of the minima of both maps, scaled to sum to 1.

    Args:
        saliency: Predicted maps (batch, height, width).
        truth: Ground-truth maps (batch, height, width).
        min_max_first: Whether both maps are first scaled to [0, 1], as in the Matlab code but
            not in pysaliency.

    Returns:
        (batch,) float32; NaN if the truth is all zeros. A constant prediction counts as the
        uniform density.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.similarity(saliency, truth)`
    """
    saliency, truth = flat_maps(saliency=saliency, truth=truth)
    defined = ops.any(truth != 0, axis=1)
    if min_max_first:
        saliency, truth = min_max(saliency), min_max(truth)
    else:
        check_not_negative(saliency=saliency, truth=truth)
    common = ops.sum(ops.minimum(density(saliency), density(truth)), axis=1)
    return or_nan(common, defined)


def kl_divergence(saliency, truth, *, epsilon: float = EPSILON):
    """KL divergence of truth q and prediction p, in nats: sum q ln(eps + q / (p + eps)).

    Args:
        saliency: Predicted maps (batch, height, width), not negative; scaled to sum to 1.
        truth: Ground-truth maps (batch, height, width), not negative; scaled to sum to 1.
        epsilon: 2.22e-16 in the MIT benchmark; some toolboxes use 1e-12 or 1e-7.

    Returns:
        (batch,) float32; NaN if the truth is all zeros. A constant prediction counts as the
        uniform density.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.kl_divergence(saliency, truth)`
    """
    saliency, truth = flat_maps(saliency=saliency, truth=truth)
    check_not_negative(saliency=saliency, truth=truth)
    p, q = density(saliency), density(truth)
    value = ops.sum(q * ops.log(epsilon + q / (p + epsilon)), axis=1)
    return or_nan(value, ops.any(truth != 0, axis=1))


def information_gain(
    saliency,
    fixations,
    baseline,
    *,
    min_max_first: bool = False,
    duplicates: bool = True,
    epsilon: float = EPSILON,
):
    """Information gain over a baseline density, in bits per fixation.

    The mean over fixations of log2(eps + p) - log2(eps + b), with p and b scaled to sum to 1.

    Args:
        saliency: Predicted maps (batch, height, width), not negative.
        fixations: Number of fixations in each pixel (batch, height, width).
        baseline: Baseline maps (batch, height, width), not negative, such as the central bias of
            the training data.
        min_max_first: Whether both maps are first scaled to [0, 1], as in the MIT benchmark but
            not in pysaliency.
        duplicates: Whether several fixations of a pixel count several times.
        epsilon: Keeps the logarithm of zero finite.

    Returns:
        (batch,) float32; NaN if there are no fixations.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.information_gain(saliency, fixations, baseline)`
    """
    saliency, fixations, baseline = flat_maps(
        saliency=saliency, fixations=fixations, baseline=baseline
    )
    check_not_negative(fixations=fixations)
    if min_max_first:
        saliency, baseline = min_max(saliency), min_max(baseline)
    else:
        check_not_negative(saliency=saliency, baseline=baseline)
    bits = ops.log(epsilon + density(saliency)) - ops.log(epsilon + density(baseline))
    return weighted_mean(bits / math.log(2.0), fixation_weights(fixations, duplicates))


def log_likelihood(saliency, fixations, *, duplicates: bool = True, epsilon: float = EPSILON):
    """Mean log density at the fixations over the unit square, in nats per fixation.

    The density of a map p that sums to 1, over a frame of area 1 with P pixels, is p P. So the
    uniform map scores 0 at any size.

    Args:
        saliency: Predicted maps (batch, height, width), not negative; scaled to sum to 1.
        fixations: Number of fixations in each pixel (batch, height, width).
        duplicates: Whether several fixations of a pixel count several times.
        epsilon: Added to p; keeps the logarithm of zero finite.

    Returns:
        (batch,) float32; NaN if there are no fixations.

    Raises:
        ValueError: The maps' shapes or values are invalid.

    Example: `zoo.metrics.log_likelihood(saliency, fixations)`
    """
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(saliency=saliency, fixations=fixations)
    pixels = ops.cast(ops.shape(saliency)[1], "float32")
    nats = ops.log((epsilon + density(saliency)) * pixels)
    return weighted_mean(nats, fixation_weights(fixations, duplicates))
