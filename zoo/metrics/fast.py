"""All saliency metrics of a frame at once, in NumPy, for evaluation on a CPU."""

from __future__ import annotations

import numpy as np

from zoo.metrics.auc import check_ties
from zoo.metrics.maps import EPSILON

# Up to here one pass over the map a threshold beats sorting the map.
_FEW_THRESHOLDS = 24


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
    """Computes the saliency metrics of many frames together, fast on a CPU.

    The numbers are those of the functions of the same names. Float64 maps are computed in
    float64, all others in float32.

    Args:
        saliency: Predicted maps (batch, height, width), not negative.
        fixations: Number of fixations of each pixel (batch, height, width).
        truth: Ground-truth maps for `cc`, `similarity` and `kl_divergence`, or None.
        other_fixations: Fixations of other videos' frames for `auc_shuffled`, or None; one map
            (height, width) stands for all frames.
        baseline: Baseline density for `information_gain`, or None; one map (height, width)
            stands for all frames.
        ties: As in `auc_judd`.
        ddof: As in `nss`.
        duplicates: As in `nss`, `information_gain` and `log_likelihood`.
        min_max_first: As in `similarity`.
        epsilon: As in `kl_divergence`, `information_gain` and `log_likelihood`.

    Returns:
        Arrays (batch,) named `auc_judd`, `nss`, `log_likelihood`, and `cc`, `similarity`,
        `kl_divergence`, `auc_shuffled`, `information_gain` where their inputs are given; NaN
        where a metric is undefined.
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
    one, other = np.empty((2, saliency[0].size if len(saliency) else 0), saliency.dtype)
    for i, frame in enumerate(saliency):
        point = _points(fixations[i], "fixations")
        p = _Density(frame, "saliency")
        row = {"auc_judd": _auc_judd(p.raw, point[0], ties)}
        squares = 0.0 if p.constant else p.centred(one)
        row["nss"] = _nss(one, squares, point, ddof, duplicates)
        row["log_likelihood"] = _mean_log(p, point, duplicates, epsilon, 1 / frame.size)
        if truth is not None:
            q = _Density(truth[i], "truth")
            row["cc"] = _cc(one, squares, q, other)
            row["similarity"] = _similarity(p, q, min_max_first, one, other)
            row["kl_divergence"] = _kl_divergence(p, q, epsilon, one)
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
        if self.high and not 1e-12 < self.high < 1e12:  # Keeps float32 off its ends.
            self.flat = (self.raw / self.raw.max()).astype(self.raw.dtype)
            self.low, self.high = self.low / self.high, 1.0
        if self.constant:
            self.flat, self.low, self.high = np.ones_like(self.flat), 0.0, 1.0
        self.mean = float(self.flat.mean())
        self.total = self.mean * self.flat.size

    def centred(self, out: np.ndarray) -> float:
        """Writes the map less its mean, over its extent; returns the sum of the squares."""
        np.subtract(self.flat, self.flat.dtype.type(self.mean), out=out)
        out *= out.dtype.type(1 / (self.high - self.low))
        return _dot(out, out)

    def shares(self, out: np.ndarray, min_max_first: bool) -> np.ndarray:
        """Writes the map summed to 1, if asked less its lowest value."""
        low = self.low if min_max_first else 0.0
        kind = self.flat.dtype.type
        source = np.subtract(self.flat, kind(low), out=out) if low else self.flat
        return np.multiply(source, kind(1 / (self.total - low * self.flat.size)), out=out)

    def at(self, places: np.ndarray) -> np.ndarray:
        """The density, summed to 1 over the pixels, at some places."""
        return self.flat[places].astype("float64") / self.total


class _Shared:
    """One prepared value for each frame, or one for all of them."""

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
            f"`saliency` and `{name}` must have one shape; resize the prediction (bicubic) to the "
            f"size of the ground truth. Received: saliency.shape={saliency.shape}, "
            f"{name}.shape={values.shape}"
        )
    return values


def _points(counts: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The fixated places of a count map, and the number of fixations at each."""
    counts = counts.ravel()
    places = np.flatnonzero(counts if counts.dtype == bool else counts != 0)
    counts = counts[places].astype("float64")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError(f"`{name}` must count fixations. Received: {name} with NaN or negatives")
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
    rest = (num_negatives - false[-1]) * num_positives  # Below every fixated value.
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
    """How many pixels are at least, and above, each of some distinct descending values."""
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


def _nss(centred, squares: float, point, ddof: int, duplicates: bool) -> float:
    places, counts = point
    if not places.size:
        return float("nan")
    if squares == 0:
        return 0.0
    std = np.sqrt(squares / max(centred.size - ddof, 1))
    return float(np.average(centred[places], weights=counts if duplicates else None) / std)


def _cc(centred, squares: float, q: _Density, buffer) -> float:
    if q.constant:
        return float("nan")
    if squares == 0:
        return 0.0
    other_squares = q.centred(buffer)
    return _dot(centred, buffer) / np.sqrt(squares * other_squares)


def _similarity(p: _Density, q: _Density, min_max_first: bool, one, other) -> float:
    if not q.raw.any():
        return float("nan")
    p.shares(one, min_max_first)
    q.shares(other, min_max_first)
    return float(np.minimum(one, other, out=one).sum())


def _kl_divergence(p: _Density, q: _Density, epsilon: float, ratio) -> float:
    if not q.raw.any():
        return float("nan")
    # q / (p + eps) of the densities is Q / (P + eps sum P) times sum P / sum Q of the maps.
    kind = ratio.dtype.type
    np.add(p.flat, kind(epsilon * p.total), out=ratio)
    np.divide(q.flat, ratio, out=ratio)
    ratio *= kind(p.total / q.total)
    ratio += kind(epsilon)
    np.log(ratio, out=ratio)
    return _dot(q.flat, ratio) / q.total


def _dot(one: np.ndarray, other: np.ndarray) -> float:
    """The inner product in short rows: summed in one go, float32 would lose 5 digits."""
    whole = one.size - one.size % 512
    rows = np.einsum("ij,ij->i", one[:whole].reshape(-1, 512), other[:whole].reshape(-1, 512))
    return float(rows.sum(dtype="float64") + np.dot(one[whole:], other[whole:]))


def _mean_log(p: _Density, point, duplicates: bool, epsilon: float, over) -> float:
    places, counts = point
    if not places.size:
        return float("nan")
    logs = np.log((p.at(places) + epsilon) / over)
    return float(np.average(logs, weights=counts if duplicates else None))
