"""Reading the parts of a sample from one record: frames, flow or features, fixations, boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zoo.datasets.gaze.store import GazeStore
from zoo.datasets.record import Record
from zoo.datasets.samples.inputs import Features, Flow, Frames
from zoo.datasets.samples.transforms import Sample
from zoo.datasets.video.choice import chosen_frames
from zoo.datasets.video.index import VideoFacts, check_unchanged
from zoo.datasets.video.reading import VideoError, open_video


class Reader:
    """Reads inputs and targets of records at given steps.

    A step is a frame of the record (counted from its start), or a row of its features.

    Args:
        inputs: Inputs of the model.
        facts: Path of a video -> its facts from the index.
        gaze: Reads fixations.
        points: Name of a record -> fixations (frames, points, 2) to use instead of its gaze.
    """

    def __init__(
        self,
        inputs: Sequence[Frames | Flow | Features],
        facts: Mapping[str, VideoFacts],
        gaze: GazeStore,
        points: Mapping[str, np.ndarray],
    ):
        self.inputs, self.facts, self.gaze, self.points = tuple(inputs), facts, gaze, dict(points)
        self.features = next((part for part in inputs if isinstance(part, Features)), None)

    def part(self, record: Record) -> tuple[np.ndarray, np.ndarray]:
        """The frames that belong to the record: their numbers in the file, and their times."""
        times = self.facts[record.video].times
        if record.start is None and record.end is None:
            return np.arange(len(times)), times
        numbers = self._chosen(record)
        if not len(numbers):
            raise VideoError(
                "`start` and `end` of a record must lie inside its video of "
                f"{times[-1]:.3f} s. "
                f"Received: start={record.start}, end={record.end}"
            )
        return numbers, times[numbers]

    def _chosen(self, record: Record, fps: float | None = None) -> np.ndarray:
        facts = self.facts[record.video]
        length = facts.times[-1] + 1 / facts.fps
        return chosen_frames(facts.times, length, fps=fps, start=record.start, end=record.end)

    def times(self, record: Record) -> np.ndarray:
        """The times of a record's steps in seconds."""
        times = self.part(record)[1]
        if self.features is None:
            return times
        rows = np.arange(len(self.features.store.rows(record)))
        return times[self.frames(record, rows)]

    def frames(self, record: Record, steps: np.ndarray) -> np.ndarray:
        """The frames of the record that correspond to its steps."""
        if self.features is None:
            return np.asarray(steps)
        numbers = self.part(record)[0]
        fps = getattr(self.features.store, "fps", None)
        shown = numbers if fps is None else self._chosen(record, fps)
        # The frame of a clip's row is its last one, which need not exist in a short video.
        return shown[np.minimum(self.features.frames(steps), len(shown) - 1)] - numbers[0]

    def inputs_of(
        self,
        record: Record,
        steps: np.ndarray,
        inside: np.ndarray,
        rng: np.random.Generator | None = None,
    ) -> Sample:
        """The inputs at the given steps; flow is zero at steps that are not inside the video."""
        if self.features is not None:
            rows = self.features.store.rows(record)[steps]
            return {"features": rows[0] if self.features.single else rows}
        facts, held = self.facts[record.video], {}
        check_unchanged(record.video, facts)
        numbers = self.part(record)[0][steps]
        video = open_video(record.video, stamps=facts.stamps, folder_fps=record.fps)
        for part in self.inputs:
            held[part.kind] = part.read(video, numbers, record, rng)
            if isinstance(part, Flow):
                held[part.kind][~inside] = 0
        return held

    def fixations(self, record: Record, steps: np.ndarray) -> np.ndarray:
        """The fixations at the given steps, (steps, points, 2), NaN-padded."""
        frames = self.frames(record, steps)
        found = np.full((len(frames), 1, 2), np.nan, np.float32)
        if self.given(record):
            return np.array(self.points[record.name][frames], np.float32)
        if record.gaze is not None:
            gaze = self.gaze.get(record, self.facts[record.video])
            points = gaze.take(self.part(record)[0][frames]).padded()
            found = points if points.shape[1] else found
        return found

    def given(self, record: Record) -> bool:
        """Whether a record's fixations come from `points`; measured gaze comes first."""
        return record.gaze is None and record.name in self.points

    def boxes(self, record: Record, steps: np.ndarray, count: int) -> np.ndarray:
        """The boxes at the given steps, (steps, count, 4) pixels of the inputs, NaN-padded."""
        size = next(part.size for part in self.inputs)
        facts = self.facts[record.video]
        frames = self.part(record)[0][steps]
        out = np.full((len(frames), count, 4), np.nan, np.float32)
        grow = np.array([size[1] / facts.width, size[0] / facts.height] * 2)
        for place, tube in enumerate((record.boxes or ())[:count]):
            rows = frames - tube.start
            there = (rows >= 0) & (rows < len(tube.boxes))
            out[there, place] = np.asarray(tube.boxes, float)[rows[there]] * grow
        return out
