"""Pseudo gaze: for videos without gaze, fixations are sampled from the network's own mixtures.

Fixations are sampled from the model's predictions after 30, 50, 70 and 90% of the epochs. Sampled
earlier, they taught a small network its own mistakes. The samples are stored in the run's folder,
so that an interrupted run resumes with them.

Reference: Xie, Luong, Hovy and Le, Self-training with Noisy Student improves ImageNet
classification, CVPR 2020 (there for labels).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from zoo.datasets import Samples
from zoo.files.atomic import atomic_path
from zoo.files.first_few import first_few
from zoo.training import scores
from zoo.training.engine.progress import Progress

DRAWN = "pseudo_gaze.npz"
SHARES = (0.3, 0.5, 0.7, 0.9)  # shares of the epochs after which gaze is sampled again
POINTS = 12  # fixations per frame
NO_GAZE = np.broadcast_to(np.float32(np.nan), (1 << 24, 1, 2))  # long enough for any video


def drawing_epochs(epochs: int) -> list[int]:
    """The numbers of epochs after which gaze is sampled again."""
    return sorted({max(1, round(share * epochs)) for share in SHARES} - {epochs})


def pseudo_gaze_after(
    epoch: int,
    progress: Progress,
    output: Path,
    draw: Callable[[], Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """The pseudo gaze to train on after an epoch: sampled now, or stored by an earlier process.

    Args:
        epoch: the latest of the `drawing_epochs` that the run has reached.
        progress: the run's progress.
        output: folder of the run.
        draw: returns fixations by video name, see `draw_pseudo_gaze`.

    Raises:
        ValueError: if the stored samples are missing, damaged or from a later epoch. Those of an
            earlier one are used: with a larger `epochs`, gaze is sampled after other epochs.
    """
    path = Path(output) / DRAWN
    if (progress.epoch, progress.step) == (epoch, 0):
        points = dict(draw())
        with atomic_path(path) as part, open(part, "wb") as file:
            np.savez(file, epoch=epoch, names=list(points), **_numbered(points))
        return points
    try:
        with np.load(path, allow_pickle=False) as held:
            names = held["names"].tolist()
            points = {name: held[f"points_{at:06d}"] for at, name in enumerate(names)}
            found = int(held["epoch"])
    except Exception as error:  # NumPy and zipfile raise errors of many types
        raise ValueError(
            "A run with pseudo gaze needs the gaze that it sampled before; start over with "
            f"restart=True. Received: {str(path)!r} cannot be read ({error})"
        ) from error
    if found > progress.epoch:
        raise ValueError(
            "A run with pseudo gaze needs the gaze that it sampled before; start over with "
            f"restart=True. Received: {str(path)!r} of epoch {found}, in a run of "
            f"{progress.epoch} epochs"
        )
    return points


def draw_pseudo_gaze(
    model: keras.Model, samples: Samples, batch_size: int, *, seed: int, mirror: bool = False
) -> dict[str, np.ndarray]:
    """Sample fixations for videos without gaze from a model's mixtures.

    Args:
        model: a model with the output `mixture`.
        samples: the videos without gaze.
        batch_size: windows per batch.
        seed: random seed of the sampling.
        mirror: average the predictions for the frames and for their mirror images first.

    Returns:
        Video name -> fixations (frames, 12, 2), x and y in [0, 1], or NaN. Videos that are too
        short for a prediction get no fixations and are named in a warning; their label is trained.
    """
    rng = np.random.default_rng(seed)
    predictions = scores.predict_samples(model, samples, batch_size, mirror=mirror)
    points, short = {}, []
    for video, record in enumerate(samples.records):
        own = predictions.mixtures[predictions.videos == video]
        frames = samples.frames(video, np.arange(len(samples.truth(video))))
        points[record.name] = np.full((frames[-1] + 1, POINTS, 2), np.nan, np.float32)
        if len(own):
            points[record.name][frames[-len(own) :]] = draw_points(own, POINTS, rng)
        else:
            short.append(f"{record.name} ({len(frames)} frames)")
    if short:
        warnings.warn(
            "Pseudo gaze needs videos that are longer than the frames before the first "
            "prediction; `dense` models have none. Without pseudo gaze, only the label is trained. "
            f"Received: {len(short)} of {len(points)} that are not: {first_few(short)}",
            stacklevel=2,
        )
    return points


def _numbered(points: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"points_{at:06d}": gaze for at, gaze in enumerate(points.values())}


def draw_points(mixtures: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sample points from mixtures.

    Args:
        mixtures: output of `zoo.layers.MixtureDensity`, (T, C, 6).
        count: points per mixture.
        rng: random number generator.

    Returns:
        Points (T, count, 2), x and y in [0, 1). A point outside of the frame becomes NaN, since
        nobody looks there.
    """
    mixtures = np.asarray(mixtures, np.float64)
    weights = np.exp(mixtures[..., 0] - mixtures[..., 0].max(-1, keepdims=True))
    below = np.cumsum(weights, axis=-1)
    chance = rng.random((len(mixtures), count, 1)) * below[:, None, -1:]
    which = (chance >= below[:, None]).sum(-1)
    _, x, y, log_sx, log_sy, atanh_rho = np.moveaxis(
        np.take_along_axis(mixtures, which[..., None], axis=1), -1, 0
    )
    across, down = rng.standard_normal((2, *x.shape))
    rho = np.tanh(atanh_rho)
    x = x + np.exp(log_sx) * across
    y = y + np.exp(log_sy) * (rho * across + np.sqrt(1.0 - rho**2) * down)
    points = np.stack([x, y], axis=-1).astype(np.float32)
    inside = ((points >= 0) & (points < 1)).all(-1, keepdims=True)
    return np.where(inside, points, np.float32(np.nan))
