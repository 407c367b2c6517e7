"""Inputs of a sample: frames, optical flow, or features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.shards.format import FLOW
from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.datasets.video.flow import video_flow


def _check_size(size: tuple[int, int]) -> None:
    if not isinstance(size, (tuple, list)) or len(size) != 2 or min(size) < 1:
        raise ValueError(f"`size` must be (height, width), both positive. Received: size={size}")


@dataclass(frozen=True)
class Frames:
    """The frames as input `rgb`, (time, height, width, 3) uint8, 0 to 255.

    Args:
        size: (height, width) to which the frames are resized.
        name: Name of the input.

    Raises:
        ValueError: `size` is not a height and a width.

    Example: `Samples(records, Windows(30), inputs=[Frames((224, 224))])`
    """

    kind: ClassVar[str] = "rgb"  # key in a sample, whatever the input's name

    size: tuple[int, int] = (112, 112)
    name: str = "rgb"

    def __post_init__(self) -> None:
        _check_size(self.size)

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the input of a sample with this number of steps."""
        return (steps, *self.size, 3), "uint8"

    def read(
        self, video: Any, numbers: np.ndarray, record: Record, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Read the frames of these numbers; `rng` is None for samples in order."""
        return video.read(numbers, self.size)


@dataclass(frozen=True)
class Flow:
    """Optical flow as input `flow`, (time, height, width, 2) float32 in pixels per frame.

    The flow of a frame is the motion from the previous frame; it is zero for a video's first
    frame. It is read from shards if they contain it in this size, otherwise computed from the
    frames. It is always computed with a `method`, or if it is computed at another size.

    Args:
        size: (height, width) of the input.
        computed_at: (height, width) at which the flow is computed; None: `size`.
        method: Function of two grey batches, see `zoo.datasets.video.flow.video_flow`; None: DIS.
        scale_vectors: Whether vectors are scaled along when the flow is enlarged.
        name: Name of the input.

    Raises:
        ValueError: `size` is not a height and a width.

    Example: `Samples(records, Windows(79), inputs=[Frames((224, 224)), Flow((224, 224))])`
    """

    kind: ClassVar[str] = "flow"  # key in a sample, whatever the input's name

    size: tuple[int, int] = (224, 224)
    computed_at: tuple[int, int] | None = None
    method: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    scale_vectors: bool = True
    name: str = "flow"

    def __post_init__(self) -> None:
        _check_size(self.size)

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the input of a sample with this number of steps."""
        return (steps, *self.size, 2), "float32"

    def stored(self, record: Record):
        """The flow in the video's shards, or None if it is to be computed."""
        other = self.method is not None or self.computed_at not in (None, self.size)
        if other or not is_shard_video(record.video):
            return None
        video = shard_video(record.video)
        if FLOW not in video.shards.streams:
            return None
        rows = video.stream(FLOW)
        return rows if rows.shape[1:3] == tuple(self.size) else None

    def read(
        self, video: Any, numbers: np.ndarray, record: Record, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Read or compute the flow of the frames of these numbers."""
        stored = self.stored(record)
        if stored is not None:
            return np.asarray(stored[numbers], np.float32)
        # Each frame is needed together with the previous one; overlapping frames are read once.
        wanted = np.unique(np.concatenate([numbers, np.maximum(numbers - 1, 0)]))
        fields = np.zeros((len(wanted), *self.size, 2), np.float32)
        fields[1:] = self.compute(video.read(wanted, self.size), wanted)
        found = fields[np.searchsorted(wanted, numbers)]
        found[numbers == 0] = 0
        return found

    def compute(self, frames: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
        """The flow of frames `numbers[1:]`, (n - 1, height, width, 2), from n frames.

        The flow is zero where the previous number is not that of the preceding frame.
        """
        out = np.zeros((len(numbers) - 1, *self.size, 2), np.float32)
        follows = np.diff(numbers) == 1
        edges = np.flatnonzero(np.diff(np.concatenate([[False], follows, [False]]).astype(int)))
        for first, last in edges.reshape(-1, 2):
            fields = video_flow(
                frames[first : last + 1],
                method=self.method,
                size=self.computed_at or self.size,
                output_size=self.size,
                scale_vectors=self.scale_vectors,
            )
            out[first:last] = list(fields)
        return out


@dataclass(frozen=True)
class Features:
    """Features of a frozen backbone as input `features`, (time, ...) float16.

    Each step of the sample is one row of the features, computed from a clip of frames or from a
    single frame.

    Args:
        store: Provides a record's rows, `rows(record)`, and their position in the video, `about`
            (`zoo.datasets.shards.features.FeatureStore`).
        target: Which frame of a row's clip the targets belong to, "last" or "centre".
        single: Give a sample of one step the shape (...) instead of (1, ...), for models that
            take a single clip.
        name: Name of the input.

    Raises:
        ValueError: `target` is neither of the two.

    Example: `Samples(records, Windows(30), inputs=[Features(store)], targets=[Action(101)])`
    """

    kind: ClassVar[str] = "features"  # key in a sample, whatever the input's name

    store: Any
    target: Literal["last", "centre"] = "last"
    single: bool = False
    name: str = "features"

    def __post_init__(self) -> None:
        if self.target not in ("last", "centre"):
            raise ValueError(
                f'`target` must be "last" or "centre". Received: target={self.target!r}'
            )

    def spec(self, steps: int) -> tuple[tuple[int, ...], str]:
        """Shape and dtype of the input of a sample with this number of steps."""
        shape = tuple(self.store.about["shape"])
        if self.single and steps != 1:
            raise ValueError(
                "With `single` features, samples must have one step. "
                f"Received: single=True with a sampling of {steps} steps"
            )
        return (shape if self.single else (steps, *shape)), "float16"

    def frames(self, rows: np.ndarray) -> np.ndarray:
        """Numbers of the frames that the rows' targets belong to."""
        clip = self.store.about["clip_length"]
        place = clip - 1 if self.target == "last" else clip // 2
        first = self.store.about.get("first", 0)
        return first + np.asarray(rows) * self.store.about["hop"] + place
