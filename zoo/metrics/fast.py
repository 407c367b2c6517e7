"""All saliency metrics of frames at once, in NumPy, for fast evaluation on a CPU."""

from __future__ import annotations

import numpy as np

from zoo.metrics.auc import check_ties
from zoo.metrics.maps import EPSILON

# Up to this number of thresholds, one pass over the map for each is faster than sorting the map.
_FEW_THRESHOLDS = 24
_BLOCK = 32768  # pixels; two maps and two buffers of float32 take 512 KiB


def saliency_metrics(
    saliency: np.ndarray,
    fixations: np.ndarray,
    truth: np.ndarray | None = None,
    other_fixations: np.ndarray | None = None,
    baseline: np.ndarray | None = None,
    *,
    ties: str = "together",
    ddof: int = 0,
    duplicates: bool = True,
    min_max_first: bool = True,
    epsilon: float = EPSILON,
) -> dict[str, np.ndarray]:
    """Compute all saliency metrics of many frames, fast on a CPU.

    The values are those of the functions with the same names. Float64 maps are processed in
    float64, all others in float32.

    Args:
        saliency: Predicted maps (batch, height, width), not negative.
        fixations: Number of fixations in each pixel (batch, height, width).
        truth: Ground-truth maps for `cc`, `similarity` and `kl_divergence`, or None.
        other_fixations: Fixation counts of other videos' frames for `auc_shuffled`, or None; a
            single map (height, width) applies to all frames.
        baseline: Baseline density for `information_gain`, or None; a single map (height, width)
            applies to all frames.
        ties: As in `auc_judd`.
        ddof: As in `nss`.
        duplicates: As in `nss`, `information_gain` and `log_likelihood`. It does not affect
            `auc_judd`, where each fixated pixel counts once, or `auc_shuffled`.
        min_max_first: As in `similarity`.
        epsilon: As in `kl_divergence`, `information_gain` and `log_likelihood`.

    Returns:
        Arrays (batch,) named `auc_judd`, `nss`, `log_likelihood`, and `cc`, `similarity`,
        `kl_divergence`, `auc_shuffled`, `information_gain` if their inputs are given; NaN where a
        metric is undefined.

    Raises:
        ValueError: The maps' shapes or values, or an option, are invalid.

    Example: `zoo.metrics.saliency_metrics(saliency, fixations, truth)["nss"]`
    """
    check_ties(ties)
    if ddof not in (0, 1):
        raise ValueError(f"`ddof` must be 0 or 1. Received: ddof={ddof}")
    saliency = _floats("saliency", saliency)
    if saliency.ndim != 3:
        raise ValueError(
            "`saliency` must have the shape (batch, height, width). "
            f"Received: saliency.shape={saliency.shape}"
        )
    fixations = _like(saliency, "fixations", fixations)
    if truth is not None:
        truth = _like(saliency, "truth", _floats("truth", truth))
    others = _Shared(saliency, "other_fixations", other_fixations, _points)
    base = _Shared(saliency, "baseline", baseline, _Density)
    rows = []
    for i, frame in enumerate(saliency):
        point = _points(fixations[i], "fixations")
        p = _Density(frame, "saliency")
        q = _Density(truth[i], "truth") if truth is not None else None
        squares, row = _whole_map(p, q, min_max_first, epsilon)
        row["auc_judd"] = _auc_judd(p.raw, point[0], ties)
        row["nss"] = _nss(p, squares, point, ddof, duplicates)
        row["log_likelihood"] = _mean_log(p, point, duplicates, epsilon, 1 / frame.size)
        if other_fixations is not None:
            row["auc_shuffled"] = _auc_shuffled(p.raw, point, others[i])
        if baseline is not None:
            b = base[i].at(point[0]) + epsilon
            row["information_gain"] = _mean_log(p, point, duplicates, epsilon, b) / np.log(2)
        rows.append(row)
    names = rows[0] if rows else ()
    return {name: np.array([row[name] for row in rows]) for name in names}


class _Density:
    """A map with the sums that several metrics need, each computed once."""

    def __init__(self, values: np.ndarray, name: str):
        self.raw = self.flat = values.ravel()
        self.low, self.high = float(self.raw.min()), float(self.raw.max())
        if not np.isfinite([self.low, self.high]).all():
            raise ValueError(f"`{name}` must be finite. Received: {name} with NaN or inf")
        if self.low < 0:
            raise ValueError(
                f"`{name}` must not be negative. Received: {name} with the value {self.low}"
            )
        self.constant = self.low == self.high
        if self.high and not 1e-12 < self.high < 1e12:  # avoids over- and underflow of float32
            self.flat = (self.raw / self.raw.max()).astype(self.raw.dtype)
            self.low, self.high = self.low / self.high, 1.0
        if self.constant:  # the uniform density; `low` of 0 keeps all quotients finite
            self.flat, self.low, self.high = np.ones_like(self.flat), 0.0, 1.0
        self.mean = float(self.flat.mean())
        self.total = self.mean * self.flat.size

    def at(self, places: np.ndarray) -> np.ndarray:
        """The density, normalised to sum to 1 over the pixels, at the given pixels."""
        return self.flat[places].astype("float64") / self.total


class _Shared:
    """Prepared values, one for each frame or a single one for all frames."""

    def __init__(self, saliency, name, values, prepare):
        self.prepared = None
        if values is None:
            return
        if prepare is _Density:
            values = _floats(name, values)
        values = np.asarray(values)
        self.name, self.prepare = name, prepare
        if values.ndim == 2 and values.shape == saliency.shape[1:]:
            self.prepared = prepare(values, name)
        else:
            self.values = _like(saliency, name, values)

    def __getitem__(self, i: int):
        return self.prepared or self.prepare(self.values[i], self.name)


def _floats(name: str, values) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "fbui":
        raise ValueError(f"`{name}` must hold numbers. Received: {name}.dtype={values.dtype}")
    return np.ascontiguousarray(values, values.dtype if values.dtype == "float64" else "float32")


def _like(saliency: np.ndarray, name: str, values) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != saliency.shape:
        raise ValueError(
            f"`saliency` and `{name}` must have the same shape; resize the prediction (bicubic) to "
            f"the size of the ground truth. Received: saliency.shape={saliency.shape}, "
            f"{name}.shape={values.shape}"
        )
    return values


def _points(counts: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The fixated pixels of a count map, and the number of fixations in each."""
    counts = counts.ravel()
    places = np.flatnonzero(counts if counts.dtype == bool else counts != 0)
    counts = counts[places].astype("float64")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(
            f"`{name}` must be numbers of fixations. Received: {name} with NaN or negative values"
        )
    return places, counts


def _auc_judd(flat: np.ndarray, places: np.ndarray, ties: str) -> float:
    num_positives, num_negatives = places.size, flat.size - places.size
    if not num_positives or not num_negatives:
        return float("nan")
    values, m = np.unique(flat[places], return_counts=True)
    values, m = values[::-1], m[::-1].astype("float64")
    at_least, above = _counts(flat, values, strictly=ties == "expected")
    hits = np.cumsum(m)
    false = at_least - hits
    rest = (num_negatives - false[-1]) * num_positives  # negatives below all fixated values
    if ties == "together":
        area = _between(false) @ (hits - m / 2) + rest
    elif ties == "listed":
        area = _between(false) @ (hits - m + 0.5) - (m * (m - 1) / 2).sum() + rest
    else:
        tied = at_least - above - m
        wins = hits - m + (m + 1) / 2
        wins[-1] = num_positives - m[-1] + m[-1] * (m[-1] + 2) / (2 * m[-1] + 2)
        area = tied @ wins + (_between(false) - tied) @ (hits - m + 0.5) + rest
    return area / (num_positives * num_negatives)


def _between(totals: np.ndarray) -> np.ndarray:
    return np.diff(totals, prepend=0.0)


def _counts(flat: np.ndarray, values: np.ndarray, strictly: bool):
    """Numbers of pixels at or above, and above, each of some distinct descending values."""
    if values.size <= _FEW_THRESHOLDS:
        hit = np.empty(flat.size, bool)
        at_least = [np.count_nonzero(np.greater_equal(flat, v, out=hit)) for v in values]
        above = [np.count_nonzero(np.greater(flat, v, out=hit)) for v in values] if strictly else 0
        return np.array(at_least, "float64"), np.array(above, "float64")
    ranked = np.sort(flat)
    at_least = flat.size - np.searchsorted(ranked, values, "left")
    above = flat.size - np.searchsorted(ranked, values, "right") if strictly else 0
    return at_least.astype("float64"), np.asarray(above, "float64")


def _auc_shuffled(flat: np.ndarray, point, other) -> float:
    (places, counts), (other_places, other_counts) = point, other
    if not places.size or not other_places.size:
        return float("nan")
    values = flat[other_places]
    order = np.argsort(values)
    sums = np.concatenate([[0.0], np.cumsum(other_counts[order])])
    values, wanted = values[order], flat[places]
    below = sums[np.searchsorted(values, wanted, "left")]
    not_above = sums[np.searchsorted(values, wanted, "right")]
    return counts @ (below + not_above) / (2 * counts.sum() * sums[-1])


def _nss(p: _Density, squares: float, point, ddof: int, duplicates: bool) -> float:
    places, counts = point
    if not places.size:
        return float("nan")
    if p.constant:
        return 0.0
    std = np.sqrt(squares / max(p.flat.size - ddof, 1)) * (p.high - p.low)
    values = p.flat[places].astype("float64") - p.mean
    return float(np.average(values, weights=counts if duplicates else None) / std)


def _whole_map(p: _Density, q: _Density | None, min_max_first: bool, epsilon: float):
    """The sum of squared deviations of p, relative to its range, and the metrics against q.

    Whole maps are processed in blocks that fit in the processor's caches; the float32 sums of the
    blocks are added in float64.
    """
    kind = p.flat.dtype.type
    squares = other_squares = cross = common = divergence = 0.0
    scale_p = kind(1 / (p.high - p.low))
    low_p = p.low if min_max_first else 0.0
    share_p = kind(1 / (p.total - low_p * p.flat.size))
    if q is not None:
        scale_q = kind(1 / (q.high - q.low))
        low_q = q.low if min_max_first else 0.0
        share_q = kind(1 / (q.total - low_q * q.flat.size))
    buffers = np.empty((2, min(_BLOCK, p.flat.size)), p.flat.dtype)
    for start in range(0, p.flat.size, _BLOCK):
        x = p.flat[start : start + _BLOCK]
        a, b = buffers[:, : x.size]
        np.subtract(x, kind(p.mean), out=a)
        a *= scale_p
        squares += float(np.dot(a, a))
        if q is None:
            continue
        y = q.flat[start : start + _BLOCK]
        np.subtract(y, kind(q.mean), out=b)
        b *= scale_q
        other_squares += float(np.dot(b, b))
        cross += float(np.dot(a, b))
        np.multiply(np.subtract(x, kind(low_p), out=a) if low_p else x, share_p, out=a)
        np.multiply(np.subtract(y, kind(low_q), out=b) if low_q else y, share_q, out=b)
        common += float(np.minimum(a, b, out=a).sum())
        # With densities p, q and maps P, Q: q / (p + eps) = Q / (P + eps sum P) * sum P / sum Q.
        np.add(x, kind(epsilon * p.total), out=a)
        np.divide(y, a, out=a)
        a *= kind(p.total / q.total)
        a += kind(epsilon)
        np.log(a, out=a)
        divergence += float(np.dot(y, a))
    if q is None:
        return squares, {}
    empty = q.constant and not q.raw[0]
    correlation = float("nan") if q.constant else 0.0
    if not (p.constant or q.constant):
        correlation = cross / np.sqrt(squares * other_squares)
    return squares, {
        "cc": correlation,
        "similarity": float("nan") if empty else common,
        "kl_divergence": float("nan") if empty else divergence / q.total,
    }


def _mean_log(p: _Density, point, duplicates: bool, epsilon: float, over) -> float:
    places, counts = point
    if not places.size:
        return float("nan")
    logs = np.log((p.at(places) + epsilon) / over)
    return float(np.average(logs, weights=counts if duplicates else None))
