"""Mixtures of Gaussians to maps in NumPy, fast enough for every frame of a film."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# Rows rendered at a time: C * ROWS * width floats should stay in the processor's second cache.
ROWS = 8
# Below this the exponential is a denormal number, which is slow and changes no sum.
LOWEST = np.float32(-87.0)


def render_mixture(mixture: np.ndarray, height: int, width: int, *, threads: int = 2) -> np.ndarray:
    """The density of one mixture at every pixel centre, summing to 1.

    Row by row a bivariate Gaussian is a Gaussian of x whose mean moves with y, so each pixel
    costs one difference, one square and one exponential a component: the same values as
    `zoo.layers.mixture_map`, to float32.

    Args:
        mixture: array (C, 6): logit, mean x, mean y, log sigma x, log sigma y, atanh rho.
        height, width: size of the map in pixels.
        threads: how many threads share the rows.

    Returns:
        Array (height, width), float32.

    Example: `render_mixture(model.predict(clip)["mixture"][0, 0], 360, 640)`.
    """
    mixture = np.asarray(mixture, np.float64)
    if mixture.ndim != 2 or mixture.shape[1] != 6:
        raise ValueError(f"`mixture` must have shape (C, 6). Received: shape={mixture.shape}")
    if not np.all(np.isfinite(mixture)):
        raise ValueError(
            "`mixture` must be finite: the model's weights may have diverged in training. "
            f"Received: {int((~np.isfinite(mixture)).sum())} values that are not"
        )
    columns, centres, offsets = _row_terms(mixture, height, width)
    out = np.empty((height, width), np.float32)
    rows = range(0, height, ROWS)
    if threads > 1 and height * width * len(mixture) > 200_000:
        cut = len(rows) // 2 * ROWS
        other = _pool().submit(_render_rows, columns, centres, offsets, out, 0, cut)
        _render_rows(columns, centres, offsets, out, cut, height)
        other.result()
    else:
        _render_rows(columns, centres, offsets, out, 0, height)
    total = out.sum(dtype=np.float64)
    if total < 1e-30:
        # Every component is narrower than a pixel and lies between the centres.
        out = np.exp(_log_density(columns, centres, offsets)).astype(np.float32)
        total = out.sum(dtype=np.float64)
    out *= np.float32(1.0 / total)
    return out


def render_mixtures(mixtures: np.ndarray, height: int, width: int) -> np.ndarray:
    """Maps (T, height, width) of mixtures (T, C, 6); see `render_mixture`."""
    maps = np.empty((len(mixtures), height, width), np.float32)
    for index, mixture in enumerate(mixtures):
        maps[index] = render_mixture(mixture, height, width)
    return maps


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, min(2, os.cpu_count() or 1)), "render")


def _row_terms(mixture, height, width):
    logit, mean_x, mean_y, log_sx, log_sy, a = mixture.T[:, :, None]  # each (C, 1)
    rho = np.tanh(a)
    # log sqrt(1 - rho^2) = -log cosh(a), without the difference that vanishes as |rho| nears 1
    log_rest = np.log(2.0) - np.abs(a) - np.log1p(np.exp(-2.0 * np.abs(a)))
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    v = (y - mean_y) * np.exp(-log_sy)  # (C, height)
    scale = np.exp(-log_sx - log_rest) / np.sqrt(2.0)
    columns = scale * (x - mean_x)
    centres = scale * rho * np.exp(log_sx) * v
    offsets = logit - log_sx - log_sy - log_rest - 0.5 * v * v
    offsets -= offsets.max()
    return columns, centres, offsets


def _render_rows(columns, centres, offsets, out, start, stop):
    columns = columns.astype(np.float32)[:, None, :]
    centres = centres.astype(np.float32)[:, :, None]
    offsets = offsets.astype(np.float32)[:, :, None]
    block = np.empty((len(columns), ROWS, columns.shape[-1]), np.float32)
    for row in range(start, stop, ROWS):
        end = min(row + ROWS, stop)
        part = block[:, : end - row]
        np.subtract(columns, centres[:, row:end], out=part)
        np.multiply(part, part, out=part)
        np.subtract(offsets[:, row:end], part, out=part)
        np.maximum(part, LOWEST, out=part)
        np.exp(part, out=part)
        part.sum(axis=0, out=out[row:end])


def _log_density(columns, centres, offsets):
    log = offsets[:, :, None] - (columns[:, None, :] - centres[:, :, None]) ** 2
    log = np.logaddexp.reduce(log, axis=0)
    return log - log.max()
