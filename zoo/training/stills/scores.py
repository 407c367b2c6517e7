"""How well densities predict the fixations of still images: NSS and information gain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from zoo.datasets.stills import Still

EPSILON = 2.22e-16


def centred_gaussian(stills: Sequence[Still]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (x, y) of all fixations, as shares of the sides."""
    points = np.concatenate([still.points for still in stills])
    return points.mean(0), points.std(0)


def gaussian_map(gaussian, height: int, width: int) -> np.ndarray:
    """The Gaussian as a density (height, width) that sums to 1."""
    mean, sigma = gaussian
    x = np.exp(-0.5 * (((np.arange(width) + 0.5) / width - mean[0]) / sigma[0]) ** 2)
    y = np.exp(-0.5 * (((np.arange(height) + 0.5) / height - mean[1]) / sigma[1]) ** 2)
    return np.outer(y, x) / (y.sum() * x.sum())


def density_at(log_density: np.ndarray, height: int, width: int) -> np.ndarray:
    """A log density at the image's size, as a density that sums to 1."""
    large = cv2.resize(np.asarray(log_density, np.float32), (width, height))
    density = np.exp(large - large.max(), dtype=np.float64)
    return density / density.sum()


def point_scores(density: np.ndarray, points: np.ndarray, baseline: np.ndarray):
    """NSS (standard deviation over n) and information gain over a baseline density, in bits."""
    height, width = density.shape
    rows = (points[:, 1] * height).astype(int)
    columns = (points[:, 0] * width).astype(int)
    held = density[rows, columns]
    gain = np.log2(held + EPSILON) - np.log2(baseline[rows, columns] + EPSILON)
    mean, spread = density.mean(), density.std()
    # Rounding leaves a constant density a spread of its own.
    nss = float((held.mean() - mean) / spread) if spread > 1e-9 * mean else 0.0
    return nss, float(gain.mean())


def score_stills(predictions: Iterable[tuple[Still, np.ndarray]], gaussian) -> dict:
    """Mean NSS and information gain of each group of images, and of all.

    Args:
        predictions: images, each with its log density at any size.
        gaussian: what `centred_gaussian` gave for the training images.
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
    """The scores of one half of the viewers for the other, both ways round.

    Args:
        stills: images; those of a single viewer are left out.
        gaussian: see `score_stills`; a twentieth of it is mixed into the half's density.
        sigma: Gaussian that the half's fixations are blurred with, as a share of the width.
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
