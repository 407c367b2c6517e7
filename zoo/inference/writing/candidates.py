"""Gaze candidates: the few locations in a frame where viewers most likely look."""

from __future__ import annotations

import cv2
import numpy as np


def mixture_candidates(
    mixture: np.ndarray, *, max_candidates: int = 5, tolerance: float = 1e-4
) -> np.ndarray:
    """The modes of one mixture of Gaussians, in descending order of density.

    Mean shift climbs to a mode from the centre of every component; end points closer together
    than 0.01 (in units of the frame's sides) are merged into one mode.

    Args:
        mixture: array (C, 6), see `zoo.layers.mixture_log_prob`.
        max_candidates: maximum number of modes returned.
        tolerance: mean shift stops when a step is shorter than this.

    Returns:
        Array (n, 3) float32, n at most `max_candidates`: x, y in [0, 1], and the total
        weight of the components that climb there (the shares of all modes sum to 1).

    Example: `mixture_candidates(prediction.outputs["mixture"][40])[0]` is the most likely location.

    Reference: Carreira-Perpinan, Mode-finding for mixtures of Gaussian distributions, 2000.
    """
    return mixtures_candidates(
        np.asarray(mixture)[None], max_candidates=max_candidates, tolerance=tolerance
    )[0]


def mixtures_candidates(
    mixtures: np.ndarray, *, max_candidates: int = 5, tolerance: float = 1e-4
) -> list[np.ndarray]:
    """The modes of many mixtures (T, C, 6), computed in parallel; see `mixture_candidates`.

    Example: `mixtures_candidates(prediction.outputs["mixture"])`
    """
    mixtures = np.asarray(mixtures, np.float64)
    logit, mean_x, mean_y, log_sx, log_sy, a = np.moveaxis(mixtures, -1, 0)  # each (T, C)
    rho = np.tanh(a)
    weight = np.exp(logit - logit.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    rest = np.maximum(1.0 - rho * rho, 1e-6)
    xx = np.exp(-2.0 * log_sx) / rest  # the precision matrices
    yy = np.exp(-2.0 * log_sy) / rest
    xy = -rho * np.exp(-log_sx - log_sy) / rest
    # Indexed by frame t, climb n and component c: (T, n, C).
    terms = (mean_x, mean_y, xx, yy, xy, np.log(weight + 1e-300) - log_sx - log_sy)
    terms += (-0.5 * np.log(rest), xx * mean_x + xy * mean_y, xy * mean_x + yy * mean_y)
    mean_x, mean_y, xx, yy, xy, scale, half, pull_x, pull_y = (v[:, None] for v in terms)
    scale = scale + half

    def log_terms(x, y):
        dx, dy = x[..., None] - mean_x, y[..., None] - mean_y
        return scale - 0.5 * (xx * dx * dx + 2.0 * xy * dx * dy + yy * dy * dy)

    x, y = mean_x[:, 0].copy(), mean_y[:, 0].copy()
    climbing = np.arange(len(mixtures))
    everything = (mean_x, mean_y, xx, yy, xy, scale, pull_x, pull_y)
    for _ in range(60):
        mean_x, mean_y, xx, yy, xy, scale, pull_x, pull_y = (v[climbing] for v in everything)
        log = log_terms(x[climbing], y[climbing])
        share = np.exp(log - log.max(axis=2, keepdims=True))
        a, b, c, d, e = ((share * v).sum(axis=2) for v in (xx, yy, xy, pull_x, pull_y))
        determinant = a * b - c * c
        moved_x, moved_y = (b * d - c * e) / determinant, (a * e - c * d) / determinant
        step = np.maximum(np.abs(moved_x - x[climbing]), np.abs(moved_y - y[climbing]))
        x[climbing], y[climbing] = moved_x, moved_y
        climbing = climbing[step.max(axis=1) >= tolerance]
        if not len(climbing):
            break
    mean_x, mean_y, xx, yy, xy, scale, pull_x, pull_y = everything
    log = log_terms(x, y)
    highest = log.max(axis=2)
    height = highest + np.log(np.exp(log - highest[..., None]).sum(axis=2))
    places = np.stack([x, y], axis=-1)
    return [_modes(*values)[:max_candidates] for values in zip(places, height, weight)]


def _modes(points, height, weight) -> np.ndarray:
    """Merge climbs with nearby end points into modes (n, 3)."""
    modes, shares = [], []
    for index in np.argsort(-height, kind="stable"):
        near = [i for i, m in enumerate(modes) if np.hypot(*(m - points[index])) < 0.01]
        if near:
            shares[near[0]] += weight[index]
        else:
            modes.append(points[index])
            shares.append(weight[index])
    return np.column_stack([np.clip(modes, 0.0, 1.0), shares]).astype(np.float32)


def map_candidates(
    saliency: np.ndarray, *, max_candidates: int = 5, distance: float = 0.05
) -> np.ndarray:
    """The peaks of one saliency map, in descending order.

    Args:
        saliency: non-negative array (height, width).
        max_candidates: maximum number of peaks returned.
        distance: minimum distance between two peaks, as a fraction of the longer side.

    Returns:
        Array (n, 3) float32: x, y in [0, 1], and the share of the map's sum that lies where the
        way uphill leads to this peak; a lower peak nearby, and its share, belong to the higher
        one. The shares of all peaks sum to 1, except for flat ground at the map's lowest value.
        A constant map has no peaks: (0, 3).

    Example: `map_candidates(maps[40])`.
    """
    saliency = np.asarray(saliency, np.float32)
    height, width = saliency.shape
    lowest = float(saliency.min())
    if not float(saliency.max()) > lowest:
        return np.zeros((0, 3), np.float32)
    reach = max(1, round(distance * max(height, width)))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    peak = (saliency >= cv2.dilate(saliency, kernel)) & (saliency > lowest)
    # A plateau counts once, at its middle.
    count, labels, _, centres = cv2.connectedComponentsWithStats(peak.astype(np.uint8))
    places = centres[1:count]
    rows = np.clip(np.round(places[:, 1]).astype(int), 0, height - 1)
    columns = np.clip(np.round(places[:, 0]).astype(int), 0, width - 1)
    values = saliency[rows, columns]
    order = np.argsort(-values, kind="stable")[:max_candidates]
    x, y = (places[order, 0] + 0.5) / width, (places[order, 1] + 0.5) / height
    owner = _peak_uphill(saliency, labels, reach, lowest)
    mass = np.bincount(owner.ravel(), weights=saliency.ravel(), minlength=count)[1:]
    return np.column_stack([x, y, mass[order] / saliency.sum(dtype=np.float64)]).astype(np.float32)


def _peak_uphill(saliency: np.ndarray, labels: np.ndarray, reach: int, lowest: float) -> np.ndarray:
    """For every pixel (height, width), the label of the peak that is reached by going uphill.

    A pixel's next step is its highest neighbour. From a local maximum that is no peak it is the
    highest pixel within `reach`. Flat ground at the lowest value belongs to no peak: label 0.
    """
    height, width = saliency.shape
    padded = np.pad(saliency, 1, constant_values=-np.inf)
    steps = [(0, 0), *((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)]
    around = [padded[1 + i : 1 + i + height, 1 + j : 1 + j + width] for i, j in steps]
    down, right = np.array(steps).T
    best = np.argmax(around, axis=0)  # a pixel without a higher neighbour stays where it is
    numbers = np.arange(height * width).reshape(height, width)
    parent = (numbers + down[best] * width + right[best]).ravel()
    ends = (best == 0) & (labels == 0) & (saliency > lowest)
    for row, column in np.argwhere(ends):
        top, left = max(0, row - reach), max(0, column - reach)
        near = saliency[top : row + reach + 1, left : column + reach + 1]
        i, j = np.unravel_index(np.argmax(near), near.shape)
        parent[row * width + column] = (top + i) * width + left + j
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return labels.ravel()[parent].reshape(height, width)
        parent = further
