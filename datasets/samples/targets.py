"""Targets of a sample: fixations, saliency maps, actions and boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo.datasets.gaze.truth import blurred
from zoo.datasets.record import Record
from zoo.datasets.samples.transforms import Sample


@dataclass(frozen=True)
class Mixture:
    """Fixations as target `mixture`, (time - lag, max_points, 2) float32, NaN-padded.

    Args:
        max_points: Fixations per frame; of more, a random subset is drawn for each sample.
        lag: Number of steps at the start of a sample that have no prediction (15 for clips of
            16).
        teacher: For teacher forcing, a function from the training step to the probability with
            which the model is given a step's true fixations, as the input `fixations`. None: the
            model has no such input. No fixations are given for samples in order.
        name: Name of the target.

    Raises:
        ValueError: An argument is out of range.

    Example: `Samples(records, Windows(48), targets=[Mixture(max_points=20, lag=15)])`
    """

    max_points: int = 20
    lag: int = 0
    teacher: Callable[[int], float] | None = None
    name: str = "mixture"

    def __post_init__(self) -> None:
        if self.max_points < 1 or self.lag < 0:
            raise ValueError(
                "`max_points` must be at least 1 and `lag` at least 0. "
                f"Received: max_points={self.max_points}, lag={self.lag}"
            )

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the target of a sample with this number of steps."""
        if self.lag >= steps:
            raise ValueError(
                "A sample must have more steps than `lag`, the number without a prediction. "
                f"Received: {steps} steps, lag={self.lag}"
            )
        return (steps - self.lag, self.max_points, 2), "float32"

    def held_by(self, record: Record) -> bool:
        """Whether the record has this target."""
        return record.gaze is not None

    def of(self, record: Record, sample: Sample, rng: np.random.Generator):
        """The target and whether the sample has it."""
        points = _drawn(sample["fixations"][self.lag :], self.max_points, rng)
        return points, bool(np.isfinite(points).any())


@dataclass(frozen=True)
class Saliency:
    """A map of one frame's fixations as target `saliency`, (height, width, 2) float32.

    Channel 0 is the ground-truth map, which sums to 1; channel 1 is the number of fixations in
    each pixel, as `zoo.losses` expect. A frame without fixations gets zero weight.

    Args:
        size: (height, width) of the map.
        frame: Which frame of the sample the map belongs to, "last" or "centre".
        sigma: Standard deviation of the Gaussian, as a fraction of the width.
        uniform: Weight of the uniform density in the map, in [0, 1].
        name: Name of the target.

    Raises:
        ValueError: An argument is out of range.

    Example: `Samples(records, Windows(79), targets=[Saliency((360, 640), frame="centre")])`
    """

    size: tuple[int, int] = (360, 640)
    frame: Literal["last", "centre"] = "last"
    sigma: float = 1.5 / 43.2
    uniform: float = 0.0
    name: str = "saliency"

    def __post_init__(self) -> None:
        if self.frame not in ("last", "centre"):
            raise ValueError(f'`frame` must be "last" or "centre". Received: frame={self.frame!r}')
        if not self.sigma > 0 or not 0 <= self.uniform <= 1:
            raise ValueError(
                "`sigma` must be above 0 and `uniform` in [0, 1]. "
                f"Received: sigma={self.sigma}, uniform={self.uniform}"
            )

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the target of a sample with this number of steps."""
        return (*self.size, 2), "float32"

    def held_by(self, record: Record) -> bool:
        """Whether the record has this target."""
        return record.gaze is not None

    def of(self, record: Record, sample: Sample, rng: np.random.Generator):
        """The target and whether the sample has it."""
        points = sample["fixations"]
        points = points[-1 if self.frame == "last" else len(points) // 2]
        points = points[np.isfinite(points).all(-1)]
        height, width = self.size
        counts = np.zeros(self.size, np.float32)
        column = np.clip((points[:, 0] * width).astype(int), 0, width - 1)
        row = np.clip((points[:, 1] * height).astype(int), 0, height - 1)
        np.add.at(counts, (row, column), 1)
        truth = np.full(self.size, 1 / counts.size, np.float32)
        if len(points):
            density = blurred(counts, self.sigma * width)
            truth = (1 - self.uniform) * density / density.sum() + self.uniform / density.size
        return np.stack([truth, counts], -1).astype(np.float32), bool(len(points))


@dataclass(frozen=True)
class Action:
    """The label as target `action`: a class index () int32, or multi-hot (classes,) float32.

    Args:
        num_classes: Number of classes.
        multi_label: Whether a video may show several actions, so that labels are multi-hot.
        name: Name of the target.

    Example: `Samples(records, Windows(16), targets=[Action(num_classes=101)])`
    """

    num_classes: int
    multi_label: bool = False
    name: str = "action"

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the target of a sample with this number of steps."""
        return ((self.num_classes,), "float32") if self.multi_label else ((), "int32")

    def held_by(self, record: Record) -> bool:
        """Whether the record has this target.

        Raises:
            ValueError: The label is not a class, or there are several and not `multi_label`.
        """
        if record.label is None:
            return False
        labels = self._labels(record)
        if not self.multi_label and len(labels) != 1:
            raise ValueError(
                "A video must have one label; set `multi_label` for several. "
                f"Received: label={record.label} of {record.name!r}"
            )
        outside = [label for label in labels if not 0 <= label < self.num_classes]
        if outside:
            raise ValueError(
                f"Labels must be from 0 to {self.num_classes - 1}, below `num_classes`. "
                f"Received: {outside} of {record.name!r}"
            )
        return True

    def of(self, record: Record, sample: Sample, rng: np.random.Generator):
        """The target (zero without a label), and whether the sample has it."""
        labels = () if record.label is None else self._labels(record)
        if not self.multi_label:
            return np.int32(labels[0] if labels else 0), bool(labels)
        hot = np.zeros(self.num_classes, np.float32)
        hot[list(labels)] = 1.0
        return hot, bool(labels)

    @staticmethod
    def _labels(record: Record) -> tuple[int, ...]:
        labels = record.label if isinstance(record.label, tuple) else (record.label,)
        return tuple(int(label) for label in labels)


@dataclass(frozen=True)
class Boxes:
    """Boxes as target `boxes`, (time, count, 4) float32 in pixels of the input, NaN-padded.

    A box is x and y of its top left corner, width and height.

    Args:
        count: Number of boxes per frame, in the order of the record's tubes.
        name: Name of the target.

    Example: `Samples(records, Windows(16), targets=[Boxes(count=1)])`
    """

    count: int = 1
    name: str = "boxes"

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the target of a sample with this number of steps."""
        return (steps, self.count, 4), "float32"

    def held_by(self, record: Record) -> bool:
        """Whether the record has this target."""
        return bool(record.boxes)

    def of(self, record: Record, sample: Sample, rng: np.random.Generator):
        """The target and whether the sample has it."""
        boxes = sample["boxes"]
        return boxes, bool(np.isfinite(boxes).any())


def _drawn(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` random fixations per frame, (time, count, 2), NaN-padded if there are fewer."""
    if points.shape[1] > count:
        rank = rng.random(points.shape[:2]) + np.isnan(points).any(-1)
        chosen = np.argsort(rank, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(points, chosen[..., None], axis=1)
    out = np.full((len(points), count, 2), np.nan, np.float32)
    out[:, : points.shape[1]] = points
    return out
