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
    for i, frame in enumerate(saliency):
        point = _points(fixations[i], "fixations")
        p = _Density(frame, "saliency")
        row = {
            "auc_judd": _auc_judd(p.flat, point[0], ties),
            "nss": _nss(p, point, ddof, duplicates),
            "log_likelihood": _mean_log(p, point, duplicates, epsilon, 1 / p.flat.size),
        }
        if truth is not None:
            q = _Density(truth[i], "truth")
            row["cc"] = _cc(p, q)
            row["similarity"] = _similarity(p, q, min_max_first)
            row["kl_divergence"] = _kl_divergence(p, q, epsilon)
        if other_fixations is not None:
            row["auc_shuffled"] = _auc_shuffled(p.flat, point, others[i])
        if baseline is not None:
            b = base[i].at(point[0]) + epsilon
            row["information_gain"] = _mean_log(p, point, duplicates, epsilon, b) / np.log(2)
        rows.append(row)
    names = rows[0] if rows else ()
    return {name: np.array([row[name] for row in rows]) for name in names}


class _Density:
    """A map with the sums that several metrics need, each computed once."""

    def __init__(self, values: np.ndarray, name: str):
        self.flat = values.ravel()
        self.low, self.high = float(self.flat.min()), float(self.flat.max())
        if not np.isfinite([self.low, self.high]).all():
            raise ValueError(f"`{name}` must be finite. Received: {name} with NaN or inf")
        if self.low < 0:
            raise ValueError(
                f"`{name}` must not be negative. Received: {name} with the value {self.low}"
            )
        self.constant = self.low == self.high
        self.mean = float(self.flat.mean(dtype=self.flat.dtype))
        self._centred = None

    @property
    def centred(self) -> tuple[np.ndarray, float]:
        """The map less its mean, and the sum of its squares."""
        if self._centred is None:
            # The scale keeps the squares of tiny densities away from float32's lower end.
            scale = self.flat.dtype.type(1 / (self.high - self.low))
            centred = (self.flat - self.flat.dtype.type(self.mean)) * scale
            self._centred = centred, float(np.dot(centred, centred)), float(scale)
        return self._centred

    def at(self, places: np.ndarray) -> np.ndarray:
        """The density, summed to 1 over the pixels, at some places."""
        if self.constant:
            return np.full(places.size, 1 / self.flat.size)
        return self.flat[places].astype("float64") / (self.mean * self.flat.size)

    def shares(self, less: float = 0.0) -> np.ndarray:
        """The map, less a constant, summed to 1."""
        if self.constant:
            return np.full_like(self.flat, 1 / self.flat.size)
        kind = self.flat.dtype.type
        factor = kind(1 / ((self.mean - less) * self.flat.size))
        return (self.flat - kind(less)) * factor if less else self.flat * factor


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
    places = np.flatnonzero(counts)
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
        at_least = [np.count_nonzero(flat >= value) for value in values]
        above = [np.count_nonzero(flat > value) for value in values] if strictly else 0
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


def _nss(p: _Density, point, ddof: int, duplicates: bool) -> float:
    places, counts = point
    if not places.size:
        return float("nan")
    if p.constant:
        return 0.0
    centred, squares, _ = p.centred
    std = np.sqrt(squares / max(p.flat.size - ddof, 1))
    return float(np.average(centred[places], weights=counts if duplicates else None) / std)


def _cc(p: _Density, q: _Density) -> float:
    if q.constant:
        return float("nan")
    if p.constant:
        return 0.0
    one, one_squares, _ = p.centred
    other, other_squares, _ = q.centred
    return float(np.dot(one, other) / np.sqrt(one_squares * other_squares))


def _similarity(p: _Density, q: _Density, min_max_first: bool) -> float:
    if q.high == 0:
        return float("nan")
    one = p.shares(p.low if min_max_first else 0.0)
    other = q.shares(q.low if min_max_first else 0.0)
    return float(np.minimum(one, other, out=one).sum())


def _kl_divergence(p: _Density, q: _Density, epsilon: float) -> float:
    if q.high == 0:
        return float("nan")
    kind = p.flat.dtype.type
    ratio, truth = p.shares(), q.shares()
    ratio += kind(epsilon)
    np.divide(truth, ratio, out=ratio)
    ratio += kind(epsilon)
    np.log(ratio, out=ratio)
    return float(np.dot(truth, ratio))


def _mean_log(p: _Density, point, duplicates: bool, epsilon: float, over) -> float:
    places, counts = point
    if not places.size:
        return float("nan")
    logs = np.log((p.at(places) + epsilon) / over)
    return float(np.average(logs, weights=counts if duplicates else None))
