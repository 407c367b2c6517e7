"""Render mixtures of Gaussians as maps in NumPy, fast enough for every frame of a film."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# Rows per block: the middle row is computed with the exponential, the others by multiplication.
ROWS = 16
MIDDLE = 8
# Log density, relative to the peak of the highest component, below which values count as zero. A
# component that is not narrow changes there by a factor e^22 within eight rows: no number becomes
# denormal, which would be slow, and nothing above e^-38 is lost.
LOWEST = -60.0
# Number of values multiplied at a time, so that they stay in the processor's cache.
AT_ONCE = 160_000
# Components narrower than this many rows change too fast from row to row for multiplication.
NARROW = 4.0
# Added to every pixel, so that the logarithm of a map is finite.
FLOOR = np.float32(1e-37)
_NOTHING = np.exp(np.full(8, LOWEST, np.float32))[0]


def render_mixture(mixture: np.ndarray, height: int, width: int, *, threads: int = 2) -> np.ndarray:
    """The density of one mixture at every pixel centre, summing to 1.

    The logarithm of a Gaussian is quadratic, so from one row of pixels to the next it changes
    linearly in x: g(x, y + k) = g(x, y) q(x)^k s(k). Every 16th row takes two exponentials per
    column and component, the rows around it take one multiplication, and the sum over the
    components is a product with a vector. The values equal those of `zoo.layers.mixture_map` up
    to float32 precision.

    Args:
        mixture: array (C, 6): logit, mean x, mean y, log sigma x, log sigma y, atanh rho.
        height, width: size of the map in pixels.
        threads: number of threads that share the rows.

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
            f"Received: {int((~np.isfinite(mixture)).sum())} values that are not finite"
        )
    terms = _Terms(mixture, height, width)
    out = np.empty((height, width), np.float32)
    cut = -(-height // (2 * ROWS)) * ROWS
    if threads > 1 and cut < height and height * width * len(mixture) > 200_000:
        other = _pool().submit(_render_rows, terms, out, 0, cut)
        _render_rows(terms, out, cut, height)
        other.result()
    else:
        _render_rows(terms, out, 0, height)
    total = out.sum(dtype=np.float64)
    if total < 1e-30:
        # Every component is narrower than a pixel and lies between pixel centres.
        out = np.exp(terms.log_density()).astype(np.float32)
        total = out.sum(dtype=np.float64)
    out *= np.float32(1.0 / total)
    out += FLOOR
    return out


def render_mixtures(mixtures: np.ndarray, height: int, width: int) -> np.ndarray:
    """Render mixtures (T, C, 6) as maps (T, height, width); see `render_mixture`."""
    maps = np.empty((len(mixtures), height, width), np.float32)
    for index, mixture in enumerate(mixtures):
        maps[index] = render_mixture(mixture, height, width)
    return maps


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, min(2, os.cpu_count() or 1)), "render")


class _Terms:
    """The log of a component in row r and column x: peak - v^2 / 2 - (columns[x] - c)^2.

    Its v and c move by `step` and `shift` from row to row. All are (C, 1) except `columns`, (C, W).
    """

    def __init__(self, mixture, height, width):
        logit, mean_x, mean_y, log_sx, log_sy, a = mixture.T[:, :, None]
        rho = np.tanh(a)
        # log sqrt(1 - rho^2) = -log cosh(a), without the cancellation as |rho| approaches 1
        log_rest = np.log(2.0) - np.abs(a) - np.log1p(np.exp(-2.0 * np.abs(a)))
        x = (np.arange(width) + 0.5) / width
        scale = np.exp(-log_sx - log_rest) / np.sqrt(2.0)
        self.columns = scale * (x - mean_x)
        self.step = np.exp(-log_sy) / height
        self.v = (0.5 / height - mean_y) * np.exp(-log_sy)
        self.shift = scale * rho * np.exp(log_sx) * self.step
        self.centre = scale * rho * np.exp(log_sx) * self.v
        self.peak = logit - log_sx - log_sy - log_rest
        # Scaled so that the highest row is 1, even if component centres lie outside the frame.
        rows = self.peak - 0.5 * (self.v + self.step * np.arange(height)) ** 2  # (C, H)
        self.peak -= rows.max()
        self.rows = rows - rows.max()
        # Second difference of the logarithm from row to row, with the opposite sign.
        self.curve = 2.0 * self.shift**2 + self.step**2
        self.narrow = np.sqrt(self.curve[:, 0]) > 1.0 / NARROW

    def centres(self):
        return self.centre + self.shift * np.arange(self.rows.shape[1])

    def log_density(self):
        log = self.rows[:, :, None] - (self.columns[:, None, :] - self.centres()[:, :, None]) ** 2
        log = np.logaddexp.reduce(log, axis=0)
        return log - log.max()


def _render_rows(terms, out, start, stop):
    wide = np.flatnonzero(~terms.narrow)
    if len(wide):
        _multiply_rows(terms, wide, out, start, stop)
    else:
        out[start:stop] = 0.0
    for component in np.flatnonzero(terms.narrow):
        _add_narrow(terms, component, out, start, stop)


def _multiply_rows(terms, which, out, start, stop):
    several = ROWS * max(1, AT_ONCE // terms.columns[which].size)
    for first in range(start, stop, several):
        _multiply_blocks(terms, which, out, first, min(first + several, stop))


def _multiply_blocks(terms, which, out, start, stop):
    """Rows `start` to `stop` in blocks of `ROWS`, processing the same row of all blocks at once."""
    columns = terms.columns[which].astype(np.float32)
    step, shift = terms.step[which], terms.shift[which]
    k = np.arange(ROWS) - MIDDLE
    factors = np.exp(-0.5 * terms.curve[which] * k * (k - 1))
    factors = np.ascontiguousarray(factors.T[:, None, :], np.float32)  # (ROWS, 1, C)
    middle = np.arange(start, stop, ROWS)[:, None, None] + MIDDLE  # may lie below the last row
    v = terms.v[which] + step * middle  # (blocks, C, 1)
    base = columns - (terms.centre[which] + shift * middle).astype(np.float32)
    # log g(row + 1) - log g(row) = 2 shift (x - centre) - shift^2 - step (v + step / 2)
    ratio = np.multiply(base, (2.0 * shift).astype(np.float32))
    ratio -= (shift**2 + step * (v + 0.5 * step)).astype(np.float32)
    np.clip(ratio, -3.0, 3.0, out=ratio)  # beyond this range the row is zero
    np.exp(ratio, out=ratio)
    np.multiply(base, base, out=base)
    np.subtract((terms.peak[which] - 0.5 * v * v).astype(np.float32), base, out=base)
    np.maximum(base, np.float32(LOWEST), out=base)
    np.exp(base, out=base)
    np.subtract(base, _NOTHING, out=base)  # values clamped to `LOWEST` become zero
    row = base.copy()
    for k in range(MIDDLE, ROWS):
        if k > MIDDLE:
            np.multiply(row, ratio, out=row)
        _sum_components(factors[k], row, out[start + k : stop : ROWS])
    np.reciprocal(ratio, out=ratio)
    for k in range(MIDDLE - 1, -1, -1):
        np.multiply(base, ratio, out=base)
        _sum_components(factors[k], base, out[start + k : stop : ROWS])


def _sum_components(factors, row, out):
    np.matmul(factors, row[: len(out)], out=out[:, None, :])


def _add_narrow(terms, component, out, start, stop):
    """Add a component only a few rows high, with the exponential itself, where above `LOWEST`."""
    columns, centres = terms.columns[component], terms.centres()[component]
    for row in start + np.flatnonzero(terms.rows[component, start:stop] > LOWEST):
        highest = terms.rows[component, row]
        reach = np.sqrt(highest - LOWEST)
        first, last = np.searchsorted(columns, (centres[row] - reach, centres[row] + reach))
        out[row, first:last] += np.exp(highest - (columns[first:last] - centres[row]) ** 2)
