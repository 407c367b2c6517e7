"""Saliency metrics on values: NSS, CC, SIM, KL, information gain and log-likelihood.

All take maps of the shape (batch, height, width) and return one float32 value a frame.
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
        fixations: Number of fixations of each pixel (batch, height, width).
        ddof: 0 divides the variance by the number of pixels n (pysaliency), 1 by n - 1 (Matlab).
        duplicates: Whether several fixations of a pixel count several times (pysaliency) or once
            (Matlab, whose fixation maps are binary).

    Returns:
        (batch,) float32. NaN where there is no fixation; a constant map scores 0.
    """
    if ddof not in (0, 1):
        raise ValueError(f"`ddof` must be 0 or 1. Received: ddof={ddof}")
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(fixations=fixations)
    constant = is_constant(saliency)
    scaled = min_max(saliency)  # NSS does not see the scale; float32 likes this one.
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
        (batch,) float32. A constant prediction scores 0; NaN where the truth is constant.
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
    """Histogram intersection (SIM): the sum of the minima of both maps, each summed to 1.

    Args:
        saliency: Predicted maps (batch, height, width).
        truth: Ground-truth maps (batch, height, width).
        min_max_first: Whether both maps are scaled to [0, 1] before they are summed to 1, as in
            the Matlab code; pysaliency does not.

    Returns:
        (batch,) float32. A constant prediction is the uniform density; NaN where the truth is
        all zeros.
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
    """KL divergence of the truth q from the prediction p: sum q ln(eps + q / (p + eps)), nats.

    Args:
        saliency: Predicted maps (batch, height, width), not negative; summed to 1 here.
        truth: Ground-truth maps (batch, height, width), not negative; summed to 1 here.
        epsilon: 2.22e-16 in the MIT benchmark; some toolboxes take 1e-12 or 1e-7.

    Returns:
        (batch,) float32. A constant prediction is the uniform density; NaN where the truth is
        all zeros.
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
    """Information gain over a baseline density, in bits a fixation.

    The mean over the fixations of log2(eps + p) - log2(eps + b), p and b summed to 1.

    Args:
        saliency: Predicted maps (batch, height, width), not negative.
        fixations: Number of fixations of each pixel (batch, height, width).
        baseline: Baseline maps (batch, height, width), not negative: for instance the trained
            central bias.
        min_max_first: Whether both maps are scaled to [0, 1] before (MIT benchmark); pysaliency
            does not.
        duplicates: Whether several fixations of a pixel count several times.
        epsilon: Keeps the logarithm of a zero finite.

    Returns:
        (batch,) float32. NaN where there is no fixation.
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
    """Mean log density at the fixations, in nats a fixation over the unit square.

    The density is that of the map summed to 1 and spread over a frame of area 1, ln(p P) with P
    pixels: the uniform map scores 0 at every size.

    Args:
        saliency: Predicted maps (batch, height, width), not negative.
        fixations: Number of fixations of each pixel (batch, height, width).
        duplicates: Whether several fixations of a pixel count several times.
        epsilon: Added to p; keeps the logarithm of a zero finite.

    Returns:
        (batch,) float32. NaN where there is no fixation.
    """
    saliency, fixations = flat_maps(saliency=saliency, fixations=fixations)
    check_not_negative(saliency=saliency, fixations=fixations)
    pixels = ops.cast(ops.shape(saliency)[1], "float32")
    nats = ops.log((epsilon + density(saliency)) * pixels)
    return weighted_mean(nats, fixation_weights(fixations, duplicates))
