"""Videos without gaze learn the saliency from the network's own: gaze drawn from its mixtures."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from zoo.inference.streaming.mirror import mirrored_mean
from zoo.training import scores
from zoo.training.checkpoint import write_atomically
from zoo.training.joint_windows import JointWindows

DRAWN = "pseudo_gaze.npz"
SHARES = (0.3, 0.5, 0.7, 0.9)  # of the epochs, after which gaze is drawn anew
POINTS = 12  # a frame


class PseudoGaze:
    """A run's batches, in which videos without gaze get it from the model that is trained.

    Gaze is drawn from the mixtures that the model gives after 30, 50, 70 and 90% of the epochs,
    averaged over a video and its mirror image where the windows are mirrored. Drawn earlier, it
    taught a small network its own mistakes. What was drawn is kept in the run's folder, so that a
    run that was stopped goes on with it.

    Args:
        model: the model that is trained, with the output "mixture".
        windows: its training windows; the sources without gaze are replaced.
        output: folder of the run.
        epochs: of the run.
        weight: how much a video with drawn gaze counts beside one with people's, up to 1.

    Example: `fit(model, PseudoGaze(model, windows, "run", 40, 0.5).batches, output="run", ...)`

    Reference: Xie, Luong, Hovy and Le, Self-training with Noisy Student improves ImageNet
    classification, CVPR 2020 (there for labels).
    """

    def __init__(
        self,
        model: keras.Model,
        windows: JointWindows,
        output: str | Path,
        epochs: int,
        weight: float = 0.5,
    ):
        if not 0.0 < weight <= 1.0:
            raise ValueError(f"`weight` must be above 0 and at most 1. Received: weight={weight}")
        self.model = model
        self.windows = windows
        self.path = Path(output) / DRAWN
        self.weight = weight
        self.epochs = sorted({max(1, round(share * epochs)) for share in SHARES})
        self._sources = windows.sources
        self._without = [
            n for n, source in enumerate(windows.sources) if not np.isfinite(source.points).any()
        ]
        if len(self._without) == len(windows.sources):
            raise ValueError(
                "Pseudo gaze needs some videos with gaze to learn from. "
                f"Received: none among {len(windows.sources)} training videos"
            )
        self._drawn_at = None

    def batches(self, epoch: int, step: int) -> Iterator[tuple]:
        """The windows' batches of an epoch from `step` on."""
        due = [number for number in self.epochs if number <= epoch]
        if due and self._without and due[-1] != self._drawn_at:
            begins = due[-1] == epoch and step == 0
            points = self._draw(epoch) if begins else self._read(due[-1])
            sources = list(self._sources)
            for number, gaze in points.items():
                sources[number] = dataclasses.replace(
                    sources[number], points=gaze, gaze_weight=self.weight
                )
            self.windows.sources = tuple(sources)
            self._drawn_at = due[-1]
        return self.windows.batches(epoch, step)

    def _draw(self, epoch: int) -> dict[int, np.ndarray]:
        rng = np.random.default_rng([self.windows.seed, epoch, 2])
        among = copy.copy(self.windows)
        among.sources = tuple(self._sources[number] for number in self._without)
        predictions = scores.predict_windows(self, among)
        count = min(POINTS, among.num_points)
        found = [np.full((len(s.points), count, 2), np.nan, np.float32) for s in among.sources]
        for number, gaze in enumerate(found):
            own = predictions.mixtures[predictions.videos == number]
            gaze[among.lag : among.lag + len(own)] = draw_points(own, count, rng)
        points = dict(zip(self._without, found))
        arrays = {str(number): gaze for number, gaze in points.items()}

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as file:
                np.savez(file, epoch=epoch, **arrays)

        write_atomically(self.path, write)
        return points

    def predict_on_batch(self, inputs) -> dict[str, np.ndarray]:
        """The model's mixtures, with mirrored windows their mean with those of the mirror image."""
        outputs = self._predicted(inputs)
        if not self.windows.flips:
            return outputs
        if isinstance(inputs, dict):
            key = self.windows.key
            mirrored = {**inputs, key: inputs[key][:, :, :, ::-1]}
        else:
            mirrored = inputs[:, :, :, ::-1]
        return mirrored_mean(outputs, self._predicted(mirrored))

    def _predicted(self, inputs) -> dict[str, np.ndarray]:
        mixture = self.model.predict_on_batch(inputs)["mixture"]
        return {"mixture": keras.ops.convert_to_numpy(mixture)}

    def _read(self, epoch: int) -> dict[int, np.ndarray]:
        wanted = {str(number) for number in self._without}
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            found = int(arrays.pop("epoch"))
        except Exception as error:  # NumPy and zipfile each raise their own
            raise ValueError(
                "A run with pseudo gaze goes on with the gaze that it drew; start it anew with "
                f"restart=True. Received: {str(self.path)!r} cannot be read ({error})"
            ) from error
        if found != epoch or set(arrays) != wanted:
            raise ValueError(
                "A run with pseudo gaze goes on with the gaze that it drew; start it anew with "
                f"restart=True. Received: {str(self.path)!r} of epoch {found} for {len(arrays)} "
                f"videos, not of epoch {epoch} for {len(wanted)}"
            )
        return {int(name): gaze for name, gaze in arrays.items()}


def draw_points(mixtures: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points drawn from mixtures (T, C, 6), `count` each: (T, count, 2), inside the frame.

    A point outside of the frame is NaN: nobody looks there.

    Args:
        mixtures: as `zoo.layers.MixtureDensity` gives them.
        count: points of each mixture.
        rng: random numbers.
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
