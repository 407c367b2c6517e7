"""The viewers of moving_targets: a density known exactly, and gaze drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from zoo.datasets.made.scene import LEAD, Scene

DELAYS = (2, 3, 4)  # frames by which gaze trails; each viewer has one of them
TARGET, CENTRE, OTHERS, ANYWHERE = 0.76, 0.10, 0.10, 0.04  # shares of the viewers
TARGET_SIGMA, CENTRE_SIGMA, OTHERS_SIGMA = 0.045, 0.15, 0.055
HOLD = 12  # frames for which a viewer stays with one aim, on the average
STEADY = 0.8  # correlation of a viewer's error from frame to frame
LOST = 0.04  # share of samples lost to blinks


@dataclass(frozen=True)
class GazeDensity:
    """A mixture of isotropic Gaussians and a uniform, cut off at the frame, for every frame.

    Args:
        means: (frames, components, 2) of x and y in the frame's [0, 1] coordinates.
        sigmas: (components,) in the same unit along both axes.
        weights: (components,).
        uniform: Weight of the uniform distribution; all weights sum to 1.
    """

    means: np.ndarray
    sigmas: np.ndarray
    weights: np.ndarray
    uniform: float

    def maps(self, height: int, width: int) -> np.ndarray:
        """Exact probability of every pixel, (frames, height, width) float32, summing to 1."""
        across = self._shares(0, width)  # (frames, components, width)
        down = self._shares(1, height)  # (frames, components, height)
        down = down * self.weights[:, None]
        maps = np.einsum("fch,fcw->fhw", down, across) + self.uniform / (height * width)
        return (maps / maps.sum(axis=(1, 2), keepdims=True)).astype(np.float32)

    def log_prob(self, frame: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log density over the unit square of points inside the frame."""
        points = np.stack([x, y], axis=-1)[:, None]
        squares = np.sum((points - self.means[frame]) ** 2, axis=-1) / self.sigmas**2
        heights = self.weights * np.exp(-squares / 2) / (2 * np.pi * self.sigmas**2)
        return np.log(heights.sum(axis=1) + self.uniform) - np.log(self.inside()[frame])

    def inside(self) -> np.ndarray:
        """Probability, before the cut, of a point inside the frame, (frames,)."""
        whole = self._shares(0, 1)[..., 0] * self._shares(1, 1)[..., 0]
        return whole @ self.weights + self.uniform

    def _shares(self, axis: int, bins: int) -> np.ndarray:
        edges = np.arange(bins + 1) / bins
        scaled = (edges - self.means[..., axis, None]) / self.sigmas[:, None]
        return np.diff(ndtr(scaled), axis=-1)


def gaze_density(scene: Scene) -> GazeDensity:
    """The density of one gaze sample of a viewer drawn at random."""
    frames = scene.paths.shape[1] - LEAD
    late = {delay: scene.paths[:, LEAD - delay : LEAD - delay + frames] for delay in DELAYS}
    targets = [late[delay][0] for delay in DELAYS]
    others = list(late[DELAYS[1]][1:])
    centre = np.full((frames, 2), 0.5)
    means = np.stack([*targets, centre, *others], axis=1)
    share = OTHERS / len(others) if others else 0.0
    weights = [TARGET / len(DELAYS)] * len(DELAYS) + [CENTRE] + [share] * len(others)
    sigmas = [TARGET_SIGMA] * len(DELAYS) + [CENTRE_SIGMA] + [OTHERS_SIGMA] * len(others)
    return GazeDensity(means, np.array(sigmas), np.array(weights), 1.0 - float(np.sum(weights)))


def draw_gaze(
    rng: np.random.Generator, density: GazeDensity, *, viewers: int
) -> dict[str, np.ndarray]:
    """Gaze samples as columns frame, viewer, x, y: one a viewer and frame, less what is lost.

    Each viewer has a delay and, for a while, an aim; his error is correlated in time. Both
    processes start in their stationary state, so every single sample has exactly the density; a
    sample that falls outside the frame is lost, which cuts the density off at the frame.
    """
    frames, components = density.means.shape[:2]
    count, delays = len(DELAYS), rng.integers(len(DELAYS), size=viewers)
    shares = np.array([density.weights[:count].sum(), *density.weights[count:], density.uniform])
    aims = rng.choice(len(shares), size=(frames, viewers), p=shares / shares.sum())
    stay = rng.random((frames, viewers)) >= 1 / HOLD
    error = rng.standard_normal((frames, viewers, 2))
    for frame in range(1, frames):
        aims[frame] = np.where(stay[frame], aims[frame - 1], aims[frame])
        error[frame] = STEADY * error[frame - 1] + np.sqrt(1 - STEADY**2) * error[frame]
    anywhere = aims == len(shares) - 1
    component = np.where(aims == 0, delays, np.minimum(aims + count - 1, components - 1))
    mean = np.take_along_axis(density.means, component[..., None], axis=1)
    point = mean + density.sigmas[component][..., None] * error
    point = np.where(anywhere[..., None], ndtr(error), point)
    seen = (rng.random((frames, viewers)) >= LOST) & np.all((point >= 0) & (point < 1), axis=-1)
    frame, viewer = np.nonzero(seen)
    return {"frame": frame, "viewer": viewer, "x": point[seen, 0], "y": point[seen, 1]}
