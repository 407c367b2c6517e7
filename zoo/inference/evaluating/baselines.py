"""Baselines for saliency models: simple predictors, human viewers, and the true density."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from zoo.datasets import moving_targets
from zoo.datasets.gaze.fixations import Fixations
from zoo.datasets.gaze.truth import truth_maps
from zoo.datasets.record import Record
from zoo.datasets.shards.reading import is_shard_video
from zoo.datasets.video.reading import Video

PIECE = 32
MOTION_GAP = 3  # distance in frames between the two compared frames

Maps = Iterator[tuple[np.ndarray, np.ndarray]]  # frame numbers (n,), maps (n, height, width)


def uniform_map(height: int, width: int) -> np.ndarray:
    """The uniform density: equal probability at every pixel."""
    return np.full((height, width), 1.0 / (height * width), np.float32)


def central_map(height: int, width: int, sigma: float = 0.2) -> np.ndarray:
    """A Gaussian at the centre; `sigma` is a fraction of the height and of the width."""
    y = np.exp(-0.5 * (((np.arange(height) + 0.5) / height - 0.5) / sigma) ** 2)
    x = np.exp(-0.5 * (((np.arange(width) + 0.5) / width - 0.5) / sigma) ** 2)
    density = np.outer(y, x)
    return (density / density.sum()).astype(np.float32)


def fit_central_bias(
    points: Sequence[np.ndarray], *, components: int | None = None, seed: int = 0
) -> np.ndarray:
    """The trained central bias: one mixture of Gaussians fitted to all training fixations.

    Args:
        points: for each training video, (..., 2) fixations: x and y in [0, 1], NaN-padded.
        components: number of Gaussians. None selects 1, 2, 4 or 8 by two-fold cross-validation:
            the highest likelihood on one half of the videos when fitted to the other half. Too
            many components would overfit and weaken this baseline.
        seed: random seed of the initialization, and of the subsampling above 50,000 points.

    Returns:
        Mixture (components, 6) in the format of `zoo.layers.mixture_log_prob`.

    Reference: Bazzani et al., ICLR 2017, section 4 (TCB).
    """
    videos = [np.asarray(part, np.float64).reshape(-1, 2) for part in points]
    videos = [part[np.isfinite(part).all(-1)] for part in videos]
    videos = [part for part in videos if len(part)]
    every = _sample(videos, seed)
    if len(every) < 2:
        raise ValueError(
            "A trained central bias needs at least 2 fixations of training videos. "
            f"Received: {len(every)}"
        )
    if components is None:
        components = _chosen_components(videos, seed)
    fit = _fitted(every, components, seed)
    sigma = np.sqrt(np.stack([fit.covariances_[:, 0, 0], fit.covariances_[:, 1, 1]], axis=1))
    rho = fit.covariances_[:, 0, 1] / sigma.prod(axis=1)
    columns = [np.log(fit.weights_), fit.means_, np.log(sigma), np.arctanh(rho)]
    return np.column_stack(columns).astype(np.float32)


def _chosen_components(videos, seed):
    if len(videos) < 2:
        return 1
    halves = [_sample(videos[::2], seed), _sample(videos[1::2], seed)]
    likelihood = {}
    for components in (1, 2, 4, 8):
        pairs = ((halves[0], halves[1]), (halves[1], halves[0]))
        likelihood[components] = sum(_fitted(a, components, seed).score(b) for a, b in pairs)
    return max(likelihood, key=likelihood.get)


def _sample(videos, seed, most=50_000):
    points = np.concatenate([np.zeros((0, 2)), *videos])
    if len(points) > most:
        points = points[np.random.default_rng(seed).choice(len(points), most, replace=False)]
    return points


def _fitted(points, components, seed):
    from sklearn.mixture import GaussianMixture

    components = max(1, min(components, len(np.unique(points, axis=0)) // 2))
    if len(points) == 1:
        points = np.repeat(points, 2, axis=0)
    return GaussianMixture(components, reg_covar=1e-4, random_state=seed).fit(points)


def constant_maps(density: np.ndarray, num_frames: int) -> Maps:
    """The same map for every frame."""
    for start in range(0, num_frames, PIECE):
        frames = np.arange(start, min(start + PIECE, num_frames))
        yield frames, np.broadcast_to(density, (len(frames), *density.shape))


def motion_maps(
    video: Video, height: int, width: int, *, sigma: float = 0.04, uniform: float = 0.1
) -> Maps:
    """The blurred absolute difference from three frames earlier, mixed with a uniform density.

    Args:
        video: the video.
        height, width: size of the maps.
        sigma: standard deviation of the blur, as a fraction of the width.
        uniform: weight of the uniform density, without which the likelihood would be zero
            wherever nothing moves.
    """
    earlier: deque = deque(maxlen=MOTION_GAP)
    frames, maps = [], []
    for number, picture in enumerate(video.frames(size=(height, width))):
        picture = picture.astype(np.float32)
        before = earlier[0] if earlier else picture
        difference = np.abs(picture - before).mean(axis=-1)
        moved = cv2.GaussianBlur(difference, (0, 0), sigma * width)
        total = float(moved.sum(dtype=np.float64))
        share = moved / total if total > 1e-6 else uniform_map(height, width)
        maps.append((1.0 - uniform) * share + uniform / share.size)
        frames.append(number)
        earlier.append(picture)
        if len(maps) == PIECE:
            yield np.asarray(frames), np.stack(maps)
            frames, maps = [], []
    if maps:
        yield np.asarray(frames), np.stack(maps)


def viewer_maps(
    fixations: Fixations, height: int, width: int, *, sigma: float, uniform: float = 0.1
) -> Maps:
    """The blurred fixations of some viewers, as a prediction of where other viewers look.

    Args:
        fixations: fixations of the predicting viewers.
        height, width: size of the maps.
        sigma: standard deviation of the Gaussian, as a fraction of the width.
        uniform: weight of the uniform density. Frames without a fixation are entirely uniform.
    """
    for start in range(0, fixations.num_frames, PIECE):
        stop = min(start + PIECE, fixations.num_frames)
        part = fixations.in_frames(start, stop)
        maps = truth_maps(part, height, width, sigma_pixels=sigma * width, uniform=uniform)
        maps[part.empty_frames] = uniform_map(height, width)
        yield np.arange(start, stop), maps


def true_maps(record: Record, height: int, width: int) -> Maps | None:
    """The density that the gaze was sampled from, or None if it is unknown."""
    if record.dataset != "moving_targets" or is_shard_video(record.video):
        return None
    maps = moving_targets.true_density(record, height, width)
    return iter([(np.arange(len(maps)), maps)])
