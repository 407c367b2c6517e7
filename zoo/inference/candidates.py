"""Gaze candidates: the few places of a frame where a viewer most likely looks."""

from __future__ import annotations

import cv2
import numpy as np


def mixture_candidates(
    mixture: np.ndarray, *, max_candidates: int = 5, tolerance: float = 1e-4
) -> np.ndarray:
    """The modes of one mixture of Gaussians, the highest density first.

    Mean shift from every component's centre climbs to a mode; climbs that end within a
    hundredth of the frame's side are one mode.

    Args:
        mixture: array (C, 6), see `zoo.layers.mixture_log_prob`.
        max_candidates: how many are kept.
        tolerance: a climb ends when a step is shorter than this.

    Returns:
        Array (n, 3) float32, n at most `max_candidates`: x, y in [0, 1], and the share of the
        density that climbs there (the shares of all modes sum to 1).

    Example: `mixture_candidates(prediction.outputs["mixture"][40])[0]` is the likeliest place.

    Reference: Carreira-Perpinan, Mode-finding for mixtures of Gaussian distributions, 2000.
    """
    mixture = np.asarray(mixture, np.float64)
    logit, mean, log_sigma, rho = (
        mixture[:, 0],
        mixture[:, 1:3],
        mixture[:, 3:5],
        np.tanh(mixture[:, 5]),
    )
    weight = np.exp(logit - logit.max())
    weight /= weight.sum()
    sigma = np.exp(log_sigma)
    rest = np.maximum(1.0 - rho * rho, 1e-6)
    off = -rho / (rest * sigma[:, 0] * sigma[:, 1])
    precision = np.empty((len(mixture), 2, 2))
    precision[:, 0, 0] = 1.0 / (rest * sigma[:, 0] ** 2)
    precision[:, 1, 1] = 1.0 / (rest * sigma[:, 1] ** 2)
    precision[:, 0, 1] = precision[:, 1, 0] = off
    scale = np.log(weight + 1e-300) - log_sigma.sum(-1) - 0.5 * np.log(rest)

    def log_terms(points):
        d = points[:, None] - mean  # (n, C, 2)
        return scale - 0.5 * np.einsum("nci,cij,ncj->nc", d, precision, d)

    points = mean.copy()
    for _ in range(60):
        log = log_terms(points)
        share = np.exp(log - log.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        matrix = np.einsum("nc,cij->nij", share, precision)
        vector = np.einsum("nc,cij,cj->ni", share, precision, mean)
        moved = np.linalg.solve(matrix, vector[..., None])[..., 0]
        step = np.abs(moved - points).max()
        points = moved
        if step < tolerance:
            break
    height = np.logaddexp.reduce(log_terms(points), axis=1)
    modes, shares = [], []
    for index in np.argsort(-height, kind="stable"):
        near = [i for i, m in enumerate(modes) if np.hypot(*(m - points[index])) < 0.01]
        if near:
            shares[near[0]] += weight[index]
        else:
            modes.append(points[index])
            shares.append(weight[index])
    found = np.column_stack([np.clip(modes, 0.0, 1.0), shares]).astype(np.float32)
    return found[:max_candidates]


def map_candidates(
    saliency: np.ndarray, *, max_candidates: int = 5, distance: float = 0.05
) -> np.ndarray:
    """The peaks of one saliency map, the highest first.

    Args:
        saliency: array (height, width), not negative.
        max_candidates: how many are kept.
        distance: two peaks are at least this share of the larger side apart.

    Returns:
        Array (n, 3) float32: x, y in [0, 1], and the peak's value over the sum of the kept
        peaks. A constant map has no peak: (0, 3).

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
    count, _, _, centres = cv2.connectedComponentsWithStats(peak.astype(np.uint8))
    places = centres[1:count]
    rows = np.clip(np.round(places[:, 1]).astype(int), 0, height - 1)
    columns = np.clip(np.round(places[:, 0]).astype(int), 0, width - 1)
    values = saliency[rows, columns]
    order = np.argsort(-values, kind="stable")[:max_candidates]
    x, y = (places[order, 0] + 0.5) / width, (places[order, 1] + 0.5) / height
    share = values[order] / max(float(values[order].sum()), 1e-30)
    return np.column_stack([x, y, share]).astype(np.float32)
