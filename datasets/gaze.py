"""Where people looked: fixations of a video, whatever file they came from."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import numpy as np

from zoo.datasets.gaze_csv import CsvFormat, read_csv
from zoo.datasets.gaze_forms import FORMS, read_form
from zoo.datasets.gaze_maps import read_maps
from zoo.datasets.record import Record
from zoo.datasets.video import open_video

__all__ = ["CsvFormat", "Fixations", "GazeSource", "GazeWarning", "read_fixations"]

NO_VIEWER = -1


class GazeWarning(UserWarning):
    """Gaze that could not be used: how many samples of which record, and why."""


@dataclass(frozen=True)
class GazeSource:
    """Where the gaze of one record is.

    Args:
        paths: Files (csv: one for all viewers or one a viewer), or one folder of binary maps.
        format: "csv" (tables of text), "maps" (a folder of png pictures or mat files, one a
            frame), "shards", or a form of one publisher: "vig", "diem", "ledov", "coutrot".
        csv: What the columns of a csv mean.
        key: Name of the map in a mat file of "maps", of the clip in the file of "coutrot".
    """

    paths: tuple[str, ...]
    format: str = "csv"
    csv: CsvFormat = field(default_factory=CsvFormat)
    key: str = "I"

    def __post_init__(self) -> None:
        if self.format not in ("csv", "maps", "shards", *FORMS):
            raise ValueError(
                f"`format` must be one of {('csv', 'maps', 'shards', *FORMS)}. "
                f"Received: format={self.format!r}"
            )
        if isinstance(self.paths, str):
            object.__setattr__(self, "paths", (self.paths,))

    @property
    def timed(self) -> bool:
        """Whether the times of the video's frames are needed to read it."""
        if self.format == "csv":
            return self.csv.frame is None
        return self.format in ("vig", "diem", "ledov")


@dataclass(frozen=True)
class Fixations:
    """All fixations of a video, one array element each, ordered by frame.

    Args:
        frame: Frame numbers, int.
        x: 0 at the left edge of the frame, 1 at the right edge.
        y: 0 at the upper edge of the frame, 1 at the lower edge.
        viewer: Who looked, int; -1 where that is not known.
        num_frames: Frames of the video.
        issues: How many samples could not be used, and why.

    Example:
        fixations = read_fixations(record)
        targets = fixations.padded(max_points=20)  # (num_frames, 20, 2)
    """

    frame: np.ndarray
    x: np.ndarray
    y: np.ndarray
    viewer: np.ndarray
    num_frames: int
    issues: dict[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        lengths = {len(self.frame), len(self.x), len(self.y), len(self.viewer)}
        if len(lengths) != 1:
            raise ValueError(
                "`frame`, `x`, `y` and `viewer` must have one length. Received lengths: "
                f"{len(self.frame)}, {len(self.x)}, {len(self.y)}, {len(self.viewer)}"
            )
        order = np.argsort(np.asarray(self.frame), kind="stable")
        kinds = {"frame": np.int64, "x": np.float64, "y": np.float64, "viewer": np.int64}
        for name, kind in kinds.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind)[order])
        if len(self.frame) and (self.frame[0] < 0 or self.frame[-1] >= self.num_frames):
            raise ValueError(
                f"`frame` must be in [0, num_frames={self.num_frames}). Received: "
                f"{self.frame[0]} to {self.frame[-1]}"
            )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def viewers(self) -> np.ndarray:
        """The viewers that are known, ascending."""
        return np.unique(self.viewer[self.viewer != NO_VIEWER])

    @property
    def per_frame(self) -> np.ndarray:
        """Number of fixations of every frame, (num_frames,)."""
        return np.bincount(self.frame, minlength=self.num_frames)

    @property
    def empty_frames(self) -> np.ndarray:
        """The frames without a fixation."""
        return np.flatnonzero(self.per_frame == 0)

    def _keep(self, mask: np.ndarray, **changes) -> Fixations:
        kept = {name: getattr(self, name)[mask] for name in ("frame", "x", "y", "viewer")}
        return replace(self, **{**kept, **changes})

    def of_viewers(self, ids) -> Fixations:
        """Only the fixations of these viewers."""
        return self._keep(np.isin(self.viewer, np.asarray(list(ids))))

    def halves(self, seed: int = 0) -> tuple[Fixations, Fixations]:
        """Split the viewers, drawn by the seed, into two halves (the first gets the odd one)."""
        viewers = self.viewers
        if len(viewers) < 2:
            raise ValueError(
                f"Splitting viewers needs at least 2 of them. Received: {len(viewers)} viewers"
            )
        drawn = np.random.default_rng(seed).permutation(viewers)
        middle = (len(drawn) + 1) // 2
        return self.of_viewers(drawn[:middle]), self.of_viewers(drawn[middle:])

    def in_frames(self, start: int, stop: int) -> Fixations:
        """The fixations of frames `start` to `stop` (not included), renumbered from 0."""
        if not 0 <= start <= stop <= self.num_frames:
            raise ValueError(
                f"`start` and `stop` must satisfy 0 <= start <= stop <= {self.num_frames}. "
                f"Received: start={start}, stop={stop}"
            )
        low, high = np.searchsorted(self.frame, [start, stop])
        part = slice(low, high)
        return self._keep(part, frame=self.frame[part] - start, num_frames=stop - start)

    def take(self, indices) -> Fixations:
        """The fixations of the given frames, which become frames 0, 1, ... (repeats allowed)."""
        indices = np.asarray(indices, np.int64)
        low = np.searchsorted(self.frame, indices)
        counts = np.searchsorted(self.frame, indices, side="right") - low
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.repeat(low, counts) + offsets
        frame = np.repeat(np.arange(len(indices)), counts)
        return self._keep(rows, frame=frame, num_frames=len(indices))

    def one_per_viewer(self) -> Fixations:
        """One fixation a viewer and frame: the median of that viewer's samples in the frame."""
        keys = np.stack([self.frame, self.viewer], axis=1)
        unique, group = np.unique(keys, axis=0, return_inverse=True)
        order = np.argsort(group.reshape(-1), kind="stable")
        starts = np.searchsorted(group.reshape(-1)[order], np.arange(len(unique)))
        median = [
            np.array([np.median(part) for part in np.split(values[order], starts[1:])])
            if len(unique)
            else values
            for values in (self.x, self.y)
        ]
        return replace(self, frame=unique[:, 0], viewer=unique[:, 1], x=median[0], y=median[1])

    def padded(self, max_points: int | None = None, seed: int = 0) -> np.ndarray:
        """Fixations as (num_frames, points, 2) float32 of x and y, padded with NaN.

        A frame with more than `max_points` fixations gives a sample of them, drawn by the seed
        without repetition; None keeps all.
        """
        counts = self.per_frame
        points = int(counts.max(initial=0)) if max_points is None else int(max_points)
        out = np.full((self.num_frames, points, 2), np.nan, np.float32)
        rows = np.arange(len(self))
        if counts.max(initial=0) > points:
            shuffled = np.random.default_rng(seed).permutation(len(self))
            rows = shuffled[np.argsort(self.frame[shuffled], kind="stable")]
        rank = np.arange(len(self)) - np.repeat(np.cumsum(counts) - counts, counts)
        kept = rank < points
        out[self.frame[kept], rank[kept], 0] = self.x[rows[kept]]
        out[self.frame[kept], rank[kept], 1] = self.y[rows[kept]]
        return out

    def counts(self, height: int, width: int) -> np.ndarray:
        """Fixations counted per pixel, (num_frames, height, width) int32."""
        column = np.clip((self.x * width).astype(np.int64), 0, width - 1)
        row = np.clip((self.y * height).astype(np.int64), 0, height - 1)
        flat = (self.frame * height + row) * width + column
        total = np.bincount(flat, minlength=self.num_frames * height * width)
        return total.astype(np.int32).reshape(self.num_frames, height, width)


def read_fixations(
    record: Record,
    *,
    num_frames: int | None = None,
    width: int | None = None,
    height: int | None = None,
    frame_times: np.ndarray | None = None,
    fps: float | None = None,
    warn: bool = True,
) -> Fixations:
    """Read the gaze of a record.

    What is not given about the video is read from the video itself. `fps` is a wanted frame
    rate: the fixations are then those of the frames that `open_video(..., fps=fps)` gives; the
    record's `start` and `end` count likewise. Samples outside the frame, that are no number, or
    beyond the video's end are left out, counted in `issues`, and named in a `GazeWarning`.
    """
    if record.gaze is None:
        raise ValueError(f"The record must have gaze. Received: record {record.name!r} without")
    part = fps is not None or record.start is not None or record.end is not None
    given = frame_times is not None or not record.gaze.timed
    known = None not in (num_frames, width, height) and given
    taken = None
    if part or not known:
        video = open_video(record.video, fps=fps, start=record.start, end=record.end)
        times = video.source_times
        num_frames, height, width = len(times), video.height, video.width
        frame_times = times if frame_times is None else frame_times
        taken = video.source_indices if part else None
    gaze, size = record.gaze, {"num_frames": num_frames, "width": width, "height": height}
    if gaze.format == "shards":
        from zoo.datasets.shards import shard_video

        fixations = shard_video(gaze.paths[0]).fixations()
    else:
        if gaze.format == "csv":
            columns, issues = read_csv(gaze.paths, gaze.csv, **size, frame_times=frame_times)
        elif gaze.format == "maps":
            columns, issues = read_maps(gaze.paths[0], gaze.key, num_frames=num_frames)
        else:
            columns, issues = read_form(
                gaze.format, gaze.paths, gaze.key, **size, frame_times=frame_times
            )
        fixations = Fixations(**columns, num_frames=num_frames, issues=issues)
    if taken is not None:
        fixations = fixations.take(taken)
    empty = len(fixations.empty_frames)
    if empty:
        fixations.issues["frames without a fixation"] = empty
    if warn and any(fixations.issues.values()):
        told = ", ".join(f"{count} {why}" for why, count in fixations.issues.items() if count)
        warnings.warn(
            f"Gaze of {record.name}: {told}; {len(fixations)} samples used.",
            GazeWarning,
            stacklevel=2,
        )
    return fixations
