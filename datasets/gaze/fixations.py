"""The fixations of one video: who looked where, and in which frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from zoo.datasets.gaze.events import one_per_frame

NO_VIEWER = -1


@dataclass(frozen=True)
class Fixations:
    """All fixations of a video, one array element each, in the order of frames.

    Args:
        frame: Frame numbers, int.
        x: 0 at the left edge of the frame, 1 at the right edge.
        y: 0 at the upper edge of the frame, 1 at the lower edge.
        viewer: Index of the viewer in `viewer_names`; -1 if the viewer is unknown.
        num_frames: Number of frames of the video.
        issues: Reason -> number of samples that could not be used.
        viewer_names: Names of the viewers; any text: 1, 01 and 001 are three viewers.
        notes: How the samples were processed.

    Raises:
        ValueError: The arrays differ in length, or a frame number is out of range.

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
    viewer_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        lengths = {len(self.frame), len(self.x), len(self.y), len(self.viewer)}
        if len(lengths) != 1:
            raise ValueError(
                "`frame`, `x`, `y` and `viewer` must have the same length. Received lengths: "
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
        """Numbers of the known viewers, ascending."""
        return np.unique(self.viewer[self.viewer != NO_VIEWER])

    def name_of(self, viewer: int) -> str:
        """The name of a viewer, or the number as text if there are no names."""
        return self.viewer_names[viewer] if viewer < len(self.viewer_names) else str(viewer)

    @property
    def per_frame(self) -> np.ndarray:
        """Number of fixations in each frame, (num_frames,)."""
        return np.bincount(self.frame, minlength=self.num_frames)

    @property
    def empty_frames(self) -> np.ndarray:
        """Numbers of the frames without a fixation."""
        return np.flatnonzero(self.per_frame == 0)

    def _keep(self, mask: np.ndarray, **changes) -> Fixations:
        kept = {name: getattr(self, name)[mask] for name in ("frame", "x", "y", "viewer")}
        return replace(self, **{**kept, **changes})

    def of_viewers(self, ids) -> Fixations:
        """The fixations of the given viewers only (numbers or names)."""
        names = {name: number for number, name in enumerate(self.viewer_names)}
        numbers = [names.get(one, NO_VIEWER - 1) if isinstance(one, str) else one for one in ids]
        return self._keep(np.isin(self.viewer, numbers))

    def halves(self, seed: int = 0) -> tuple[Fixations, Fixations]:
        """Split the viewers randomly into two halves; the first gets one more if the number is odd.

        Raises:
            ValueError: There are fewer than 2 viewers.
        """
        viewers = self.viewers
        if len(viewers) < 2:
            raise ValueError(
                "There must be at least 2 viewers to split them into halves. "
                f"Received: {len(viewers)} viewers"
            )
        drawn = np.random.default_rng(seed).permutation(viewers)
        middle = (len(drawn) + 1) // 2
        return self.of_viewers(drawn[:middle]), self.of_viewers(drawn[middle:])

    def in_frames(self, start: int, stop: int) -> Fixations:
        """The fixations of frames `start` to `stop` (not included), with frames renumbered from 0.

        Raises:
            ValueError: The range is not within the video.
        """
        if not 0 <= start <= stop <= self.num_frames:
            raise ValueError(
                f"`start` and `stop` must satisfy 0 <= start <= stop <= {self.num_frames}. "
                f"Received: start={start}, stop={stop}"
            )
        low, high = np.searchsorted(self.frame, [start, stop])
        part = slice(low, high)
        return self._keep(part, frame=self.frame[part] - start, num_frames=stop - start)

    def take(self, indices) -> Fixations:
        """The fixations of the given frames, renumbered 0, 1, ...; frames may be repeated."""
        indices = np.asarray(indices, np.int64)
        low = np.searchsorted(self.frame, indices)
        counts = np.searchsorted(self.frame, indices, side="right") - low
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = np.repeat(low, counts) + offsets
        frame = np.repeat(np.arange(len(indices)), counts)
        return self._keep(rows, frame=frame, num_frames=len(indices))

    def one_per_viewer(self) -> Fixations:
        """One fixation per viewer and frame: the median of the viewer's samples in that frame."""
        columns = {name: getattr(self, name) for name in ("frame", "viewer", "x", "y")}
        return replace(self, **one_per_frame(columns))

    def padded(self, max_points: int | None = None, seed: int = 0) -> np.ndarray:
        """Fixations as (num_frames, points, 2) float32, x and y, padded with NaN.

        Args:
            max_points: Of a frame with more fixations, a random sample of this size is kept; None
                keeps all.
            seed: Random seed of that choice.
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
        """Number of fixations in each pixel, (num_frames, height, width) int32."""
        column = np.clip((self.x * width).astype(np.int64), 0, width - 1)
        row = np.clip((self.y * height).astype(np.int64), 0, height - 1)
        flat = (self.frame * height + row) * width + column
        total = np.bincount(flat, minlength=self.num_frames * height * width)
        return total.astype(np.int32).reshape(self.num_frames, height, width)
