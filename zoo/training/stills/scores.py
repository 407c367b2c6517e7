"""Scores densities on the fixations of still images: NSS and information gain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from zoo.datasets.stills import Still

EPSILON = 2.22e-16


def centred_gaussian(stills: Sequence[Still]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (x, y) of all fixations, relative to the image's sides."""
    points = np.concatenate([still.points for still in stills])
    return points.mean(0), points.std(0)


def gaussian_map(gaussian, height: int, width: int) -> np.ndarray:
    """The Gaussian of `centred_gaussian` as a density (height, width) that sums to 1."""
    mean, sigma = gaussian
    x = np.exp(-0.5 * (((np.arange(width) + 0.5) / width - mean[0]) / sigma[0]) ** 2)
    y = np.exp(-0.5 * (((np.arange(height) + 0.5) / height - mean[1]) / sigma[1]) ** 2)
    return np.outer(y, x) / (y.sum() * x.sum())


def density_at(log_density: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a log density to (height, width); return a density that sums to 1."""
    large = cv2.resize(np.asarray(log_density, np.float32), (width, height))
    density = np.exp(large - large.max(), dtype=np.float64)
    return density / density.sum()


def point_scores(density: np.ndarray, points: np.ndarray, baseline: np.ndarray):
    """NSS and information gain of a density.

    Args:
        density: predicted density, (height, width).
        points: fixations (n, 2), x and y in [0, 1).
        baseline: density that information gain is measured against, (height, width).

    Returns:
        NSS, with the population standard deviation, and information gain in bits per fixation.
    """
    height, width = density.shape
    rows = (points[:, 1] * height).astype(int)
    columns = (points[:, 0] * width).astype(int)
    held = density[rows, columns]
    gain = np.log2(held + EPSILON) - np.log2(baseline[rows, columns] + EPSILON)
    mean, spread = density.mean(), density.std()
    # Rounding gives a constant density a tiny standard deviation.
    nss = float((held.mean() - mean) / spread) if spread > 1e-9 * mean else 0.0
    return nss, float(gain.mean())


def score_stills(predictions: Iterable[tuple[Still, np.ndarray]], gaussian) -> dict:
    """Mean NSS and information gain for each group of images and for all.

    Args:
        predictions: pairs of an image and its predicted log density, of any size.
        gaussian: the baseline, from `centred_gaussian` of the training images.

    Returns:
        Group name, or "all" -> {"nss": ..., "information_gain": ...}, the latter in bits.
    """
    found: dict[str, list] = {}
    for still, log_density in predictions:
        if not len(still.points):
            continue
        baseline = gaussian_map(gaussian, still.height, still.width)
        density = density_at(log_density, still.height, still.width)
        scores = point_scores(density, still.points, baseline)
        for group in (still.group, "all"):
            found.setdefault(group, []).append(scores)
    return {
        group: dict(zip(("nss", "information_gain"), np.mean(scores, axis=0).tolist()))
        for group, scores in found.items()
    }


def half_of_viewers(stills: Sequence[Still], gaussian, sigma: float = 0.028) -> dict:
    """Score how well one half of the viewers predicts the other half, in both directions.

    Args:
        stills: the images; those with a single viewer are left out.
        gaussian: the baseline, see `score_stills`; it makes up 5% of the predicted density.
        sigma: standard deviation of the blur of the fixations, relative to the image's width.
    """
    found: dict[str, list] = {}
    for still in stills:
        baseline = gaussian_map(gaussian, still.height, still.width)
        for side in (0, 1):
            seen, judged = (still.points[still.viewers % 2 == s] for s in (side, 1 - side))
            if not len(seen) or not len(judged):
                continue
            counts = np.zeros((still.height, still.width))
            rows = (seen[:, 1] * still.height).astype(int)
            np.add.at(counts, (rows, (seen[:, 0] * still.width).astype(int)), 1.0)
            density = cv2.GaussianBlur(counts, (0, 0), sigma * still.width)
            density = 0.95 * density / density.sum() + 0.05 * baseline
            scores = point_scores(density, judged, baseline)
            for group in (still.group, "all"):
                found.setdefault(group, []).append(scores)
    return {
        group: dict(zip(("nss", "information_gain"), np.mean(scores, axis=0).tolist()))
        for group, scores in found.items()
    }
