"""Scores predicted mixtures on validation videos, and selects the truth maps that fit them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import keras
import numpy as np

from zoo.datasets import Samples
from zoo.datasets.gaze.truth import blurred
from zoo.inference.streaming.averaging import mean_outputs, unmirrored
from zoo.layers import mixture_log_prob, mixture_map
from zoo.metrics import saliency_metrics, video_mean
from zoo.training.devices import predict_on_batch
from zoo.training.in_order import batches_in_order


@dataclasses.dataclass(frozen=True)
class TruthMap:
    """Computes truth maps: fixations blurred by a Gaussian, mixed with a uniform distribution.

    Args:
        sigma: standard deviation of the Gaussian, in degrees of visual angle.
        uniform: weight p of the uniform distribution, between 0 and 1.
        degrees: width of the frame, in degrees of visual angle.

    Example: `TruthMap(sigma=1.5)(point_counts(points, 36, 64))`
    """

    sigma: float = 1.5
    uniform: float = 0.25
    degrees: float = 43.2

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """Turn fixation counts (N, H, W) into maps that sum to 1; uniform without fixations."""
        sigma = self.sigma / self.degrees * counts.shape[2]
        out = np.empty(counts.shape, np.float32)
        for index, count in enumerate(counts):
            density = blurred(count, sigma)
            total = density.sum()
            share = density / total if total > 0 else np.full_like(density, 1 / density.size)
            out[index] = (1 - self.uniform) * share + self.uniform / density.size
        return out


def central_bias(samples: Samples, height: int, width: int) -> np.ndarray:
    """Density (H, W) of all fixations of the videos, blurred by a Gaussian of width / 20."""
    total = np.zeros((height, width), np.float32)
    for video in range(len(samples.records)):
        total += point_counts(samples.truth(video).reshape(1, -1, 2), height, width)[0]
    density = cv2.GaussianBlur(total, (0, 0), width / 20, borderType=cv2.BORDER_REFLECT)
    density /= max(float(density.sum()), 1e-12)
    return 0.99 * density + 0.01 / density.size  # no place has probability zero


def most_points(samples: Samples) -> int:
    """The largest number of fixations in any frame of the videos, at least 1."""
    return max(samples.truth(video).shape[1] for video in range(len(samples.records)))


def point_counts(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Count fixations per pixel: NaN-padded points (N, A, 2) become counts (N, H, W)."""
    counts = np.zeros((len(points), height, width), np.float32)
    frame, which = np.nonzero(np.isfinite(points).all(-1))
    x, y = points[frame, which].T
    column = np.clip((x * width).astype(int), 0, width - 1)
    row = np.clip((y * height).astype(int), 0, height - 1)
    np.add.at(counts, (frame, row, column), 1)
    return counts


@dataclasses.dataclass
class Predictions:
    """A model's predictions for N frames of several videos, with the gaze at these frames."""

    mixtures: np.ndarray  # (N, C, 6)
    points: np.ndarray  # (N, A, 2), NaN-padded
    videos: np.ndarray  # (N,) index of each frame's video
    actions: np.ndarray | None = None  # (videos, classes), means over each video's windows


def predict_samples(
    model: keras.Model, samples: Samples, batch_size: int, every: int = 1, *, mirror: bool = False
) -> Predictions:
    """Predict whole videos, each step once.

    Args:
        model: takes the inputs of `samples`; has the output `mixture` and may have `action`.
        samples: the videos, in windows that cover them.
        batch_size: windows per batch.
        every: keep only every `every`-th step; 1 keeps all.
        mirror: average the predictions for the frames and for their mirror images; needs a model
            that takes frames.
    """
    mixtures, points, videos = [], [], []
    actions: list[list[np.ndarray]] = [[] for _ in samples.records]
    truth = functools.lru_cache(1)(samples.truth)
    for number, (inputs, *_) in enumerate(batches_in_order(samples, batch_size)):
        outputs = predict_on_batch(model, inputs)
        if mirror:
            other = unmirrored(predict_on_batch(model, _mirrored(inputs)))
            outputs |= mean_outputs([{name: outputs[name] for name in other}, other])
        chosen = samples.places[number * batch_size : (number + 1) * batch_size]
        for row, place in enumerate(chosen):
            kept = np.flatnonzero(place.scored % every == 0)
            mixtures.append(outputs["mixture"][row][kept])
            points.append(truth(place.video)[place.scored[kept]])
            videos.append(np.full(len(kept), place.video))
            if "action" in outputs:
                actions[place.video].append(outputs["action"][row])
    width = max(part.shape[1] for part in points)
    padded = [
        np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=np.nan)
        for part in points
    ]
    return Predictions(
        np.concatenate(mixtures),
        np.concatenate(padded),
        np.concatenate(videos),
        np.stack([np.mean(part, axis=0) for part in actions]) if actions[0] else None,
    )


def _mirrored(inputs):
    """Frames (..., height, width, 3) mirrored left to right."""
    if isinstance(inputs, dict):
        return {**inputs, "rgb": inputs["rgb"][..., ::-1, :]}
    return inputs[..., ::-1, :]


def score(
    predictions: Predictions,
    truth_map: TruthMap,
    *,
    baseline: np.ndarray | None = None,
    height: int = 36,
    width: int = 64,
) -> dict[str, float]:
    """Loss per fixation and all saliency metrics, averaged over frames, then over videos.

    Args:
        predictions: the output of `predict_samples`.
        truth_map: computes the truth maps from fixation counts.
        baseline: density (height, width) that information gain is measured against; None leaves
            information gain out.
        height, width: size of the maps, in pixels.

    Returns:
        "loss_per_fixation" and the metrics of `zoo.metrics.saliency_metrics`, by name.
    """
    points, mixtures = predictions.points, predictions.mixtures
    valid = np.isfinite(points).all(-1)
    log_prob = keras.ops.convert_to_numpy(
        mixture_log_prob(mixtures, np.where(valid[..., None], points, 0.5).astype(np.float32))
    )
    counts = point_counts(points, height, width)
    maps = keras.ops.convert_to_numpy(mixture_map(mixtures, height, width))
    values = _metrics(maps, counts, truth_map(counts), predictions.videos, baseline)
    values["loss_per_fixation"] = -np.where(valid, log_prob, 0.0).sum(1) / np.where(
        valid.any(1), valid.sum(1), np.nan
    )
    return {name: video_mean(value, predictions.videos) for name, value in values.items()}


def choose_truth_map(
    predictions: Predictions,
    *,
    sigmas: Sequence[float] = (1.5, 3.0),
    uniforms: Sequence[float] = (0.25, 0.5),
    degrees: float = 43.2,
    height: int = 36,
    width: int = 64,
) -> tuple[TruthMap, list[dict[str, float]]]:
    """Choose the truth map parameters with the highest CC + SIM on held-out videos.

    Args:
        predictions: the output of `predict_samples`.
        sigmas: standard deviations to try, in degrees of visual angle.
        uniforms: weights of the uniform distribution to try.
        degrees: width of the frame, in degrees of visual angle.
        height, width: size of the maps, in pixels.

    Returns:
        The chosen truth map, and one row of scores for each combination.
    """
    counts = point_counts(predictions.points, height, width)
    maps = keras.ops.convert_to_numpy(mixture_map(predictions.mixtures, height, width))
    table = []
    for sigma in sigmas:
        for uniform in uniforms:
            truth = TruthMap(sigma, uniform, degrees)(counts)
            watched = counts.any((1, 2))
            values = saliency_metrics(maps[watched], counts[watched], truth[watched])
            means = {
                name: video_mean(values[name], predictions.videos[watched])
                for name in ("cc", "similarity", "kl_divergence")
            }
            table.append({"sigma": sigma, "uniform": uniform, **means})
    best = max(table, key=lambda row: row["cc"] + row["similarity"])
    return TruthMap(best["sigma"], best["uniform"], degrees), table


def _metrics(maps, counts, truth, videos, baseline) -> dict[str, np.ndarray]:
    """All metrics per frame; the shuffled AUC takes its negatives from the other videos only."""
    total, rows = counts.sum(0), []
    for number in np.unique(videos):
        own = videos == number
        other = total - counts[own].sum(0)
        rows.append(
            saliency_metrics(
                maps[own], counts[own], truth[own], other if other.any() else None, baseline
            )
        )
    # With a single video there are no others to take negatives from.
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: np.concatenate([row[name] for row in rows]) for name in names}
