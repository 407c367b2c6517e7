"""The viewers of moving_targets: an exactly known gaze density, and gaze drawn from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from zoo.datasets.made.scene import LEAD, Scene

DELAYS = (2, 3, 4)  # frames by which gaze lags behind; each viewer has one of these delays
TARGET, CENTRE, OTHERS, ANYWHERE = 0.76, 0.10, 0.10, 0.04  # where viewers look, as fractions
TARGET_SIGMA, CENTRE_SIGMA, OTHERS_SIGMA = 0.045, 0.15, 0.055
HOLD = 12  # frames for which a viewer keeps looking at the same thing, on average
STEADY = 0.8  # correlation of a viewer's error from frame to frame
LOST = 0.04  # fraction of samples lost to blinks


@dataclass(frozen=True)
class GazeDensity:
    """A mixture of isotropic Gaussians and a uniform density, truncated at the frame's edges.

    Args:
        means: (frames, components, 2), x and y in [0, 1].
        sigmas: (components,), in the same unit, for both axes.
        weights: (components,).
        uniform: Weight of the uniform density; all weights together sum to 1.
    """

    means: np.ndarray
    sigmas: np.ndarray
    weights: np.ndarray
    uniform: float

    def maps(self, height: int, width: int) -> np.ndarray:
        """Exact probability of each pixel, (frames, height, width) float32; frames sum to 1."""
        across = self._shares(0, width)  # (frames, components, width)
        down = self._shares(1, height)  # (frames, components, height)
        down = down * self.weights[:, None]
        maps = np.einsum("fch,fcw->fhw", down, across) + self.uniform / (height * width)
        return (maps / maps.sum(axis=(1, 2), keepdims=True)).astype(np.float32)

    def log_prob(self, frame: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log density of points inside the frame, over the unit square."""
        points = np.stack([x, y], axis=-1)[:, None]
        squares = np.sum((points - self.means[frame]) ** 2, axis=-1) / self.sigmas**2
        heights = self.weights * np.exp(-squares / 2) / (2 * np.pi * self.sigmas**2)
        return np.log(heights.sum(axis=1) + self.uniform) - np.log(self.inside()[frame])

    def inside(self) -> np.ndarray:
        """Probability that a point lies inside the frame, before truncation, (frames,)."""
        whole = self._shares(0, 1)[..., 0] * self._shares(1, 1)[..., 0]
        return whole @ self.weights + self.uniform

    def _shares(self, axis: int, bins: int) -> np.ndarray:
        edges = np.arange(bins + 1) / bins
        scaled = (edges - self.means[..., axis, None]) / self.sigmas[:, None]
        return np.diff(ndtr(scaled), axis=-1)


def gaze_density(scene: Scene) -> GazeDensity:
    """The density of a gaze sample of a random viewer."""
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
    """Gaze samples as columns frame, viewer, x, y: one per viewer and frame, minus lost ones.

    Each viewer has a fixed delay and looks at one thing for a while, with an error that is
    correlated in time. Both processes start in their stationary state, so each single sample
    follows the density exactly. Samples outside the frame are lost, which truncates the density
    at the frame's edges.
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
