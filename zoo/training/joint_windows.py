"""Windows for two tasks: videos with gaze, with a label, or with both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import Record
from zoo.datasets.video.clips import FrameCache
from zoo.training.action_videos import targets
from zoo.training.features import video_key
from zoo.training.windows import Source, Windows

NO_LABEL = -1


@dataclasses.dataclass(frozen=True)
class JointSource(Source):
    """A video with its label: an index, a multi-hot vector, or None; without gaze, NaN points.

    `gaze_weight` is how much its gaze counts beside that of the others.
    """

    label: int | np.ndarray | None = None
    gaze_weight: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        if self.label is None and not np.isfinite(self.points).any():
            raise ValueError(
                "Every video must have gaze or a label; leave out those with neither. "
                f"Received: {self.name!r} with neither"
            )


def joint_sources(
    records: Sequence[Record],
    cache: str | Path,
    size: tuple[int, int],
    *,
    num_classes: int,
    multi_label: bool = False,
    least: int = 1,
) -> list[JointSource]:
    """Decode every video once into a memory map, and read its fixations and its label."""
    if not records:
        raise ValueError("There must be at least one video. Received: none")
    neither = [r.name for r in records if r.gaze is None and r.label is None]
    if neither:
        raise ValueError(
            "Every video must have gaze or a label; leave out those with neither. "
            f"Received: {len(neither)} of {len(records)} with neither: {', '.join(neither[:10])}"
        )
    frames_of, sources = FrameCache(cache), []
    for record in records:
        frames = frames_of.get(record, size)
        if len(frames) < least:
            raise ValueError(
                f"Every video must have {least} frames or more. "
                f"Received: {len(frames)} of {record.name!r}"
            )
        points = np.full((len(frames), 1, 2), np.nan, np.float32)
        if record.gaze is not None:
            fixations = read_fixations(record)
            points = fixations.padded(max(1, int(fixations.per_frame.max(initial=0))))
        if len(points) != len(frames):
            raise ValueError(
                "A video and its gaze must have the same number of frames. "
                f"Received: {len(frames)} and {len(points)} of {record.name!r}"
            )
        label = None
        if record.label is not None:
            (label,) = targets([record], num_classes, multi_label)
        sources.append(JointSource(record.name, frames, points, video_key(record), label))
    return sources


class JointWindows(Windows):
    """Windows whose batches are (inputs, targets, weights) for a joint model.

    The weights tell for which samples a task counts. They are divided by the share of the videos
    that have the task, so that each loss is a mean over those that do, however few; that of the
    gaze is multiplied by the video's `gaze_weight`.

    Args:
        sources: videos; `options` are those of `Windows`.
        num_classes: with `multi_label`, the length of the labels.
        multi_label: labels are multi-hot.
        teacher: epoch to the probability with which a step's true gaze is given as the input
            `fixations`; None: the model has no such input.
    """

    def __init__(
        self,
        sources: Sequence[JointSource],
        *,
        num_classes: int,
        multi_label: bool = False,
        teacher: Callable[[int], float] | None = None,
        **options,
    ):
        super().__init__(sources, **options)
        self.num_classes = num_classes
        self.multi_label = multi_label
        self.teacher = teacher
        count = len(self.sources)
        labelled = sum(source.label is not None for source in self.sources)
        watched = sum(bool(np.isfinite(source.points).any()) for source in self.sources)
        self.scale = {"mixture": count / max(1, watched), "action": count / max(1, labelled)}

    def batch(self, epoch: int, step: int) -> tuple:
        """One random batch: inputs, {"mixture", "action"} and the weights of both."""
        inputs, found = super().batch(epoch, step)
        points, labels = found["mixture"], found["action"]
        given = {
            "mixture": np.isfinite(points).any((1, 2, 3)),
            "action": labels.reshape(len(labels), -1)[:, 0] != NO_LABEL,
        }
        weights = {
            name: self.scale[name] * chosen.astype(np.float32) for name, chosen in given.items()
        }
        weights["mixture"] *= found.pop("gaze_weight")
        # A task that no sample of the batch has still needs finite numbers.
        found["action"] = np.where(labels == NO_LABEL, 0, labels)
        if self.teacher is not None:
            rng = np.random.default_rng([self.seed, epoch, step, 1])
            kept = rng.random(points.shape[:2]) < self.teacher(epoch)
            forced = np.where(kept[..., None, None], points, np.float32(np.nan))
            inputs = {self.key: inputs, "fixations": forced}
        return inputs, found, weights

    def in_order(self) -> Iterator[tuple]:
        for inputs, found, places in super().in_order():
            del found["gaze_weight"]
            if self.teacher is not None:  # no teacher outside of training
                inputs = {self.key: inputs, "fixations": np.full_like(found["mixture"], np.nan)}
            yield inputs, found, places

    def _cut(self, source, start, rng, training=False):
        cut = super()._cut(source, start, rng, training)
        return (*cut, self._label(source), np.float32(source.gaze_weight))

    def _label(self, source):
        if not self.multi_label:
            return np.int32(NO_LABEL if source.label is None else source.label)
        if source.label is None:
            return np.full(self.num_classes, NO_LABEL, np.float32)
        return np.asarray(source.label, np.float32)

    def _stack(self, samples):
        inputs, found = super()._stack([sample[:2] for sample in samples])
        labels, weights = (np.stack([sample[n] for sample in samples]) for n in (2, 3))
        return inputs, {**found, "action": labels, "gaze_weight": weights}
