"""Reading the frames of a video in shards, like those of a video file or a folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from zoo.datasets.shards.format import RGB
from zoo.datasets.shards.reading import shard_video
from zoo.datasets.video.frame_index import FrameIndex
from zoo.datasets.video.promise import Promise
from zoo.datasets.video.resizing import to_rgb

READ = 64  # number of frames read at a time


class ShardFrames:
    """Frames of a video in shards, with the interface of `FileSource` for `open_video`.

    Args:
        path: `SHARDS::NAME`.
    """

    def __init__(self, path: str):
        self.path = path
        self.video = shard_video(path)
        self._rows = self.video.stream(RGB)
        self.fps, self.states_rate, self.tick = self.video.fps, True, 1e-3
        self.promised = Promise(frames=self.video.num_frames)
        self.sample_aspect = Fraction(1)
        self.height, self.width = self._rows.shape[1:3]

    def scan(self) -> FrameIndex:
        """The times of the frames."""
        times = self.video.times
        return FrameIndex(times=times, end=float(times[-1]) + 1 / self.fps)

    def walk(self, indices, size=None) -> Iterator[np.ndarray]:
        """Yield the frames of `indices`; stop after the last existing frame."""

        indices = iter(indices)
        while part := list(itertools.islice(indices, READ)):
            inside = [index for index in part if index < len(self._rows)]
            for frame in self._rows[inside]:
                yield to_rgb(frame[..., ::-1], size)
            if len(inside) < len(part):
                return
