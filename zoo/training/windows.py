"""Windows of videos as training batches; every batch is a function of (seed, epoch, step)."""

from __future__ import annotations

import dataclasses
import itertools
import math
import queue
import threading
from collections.abc import Iterator, Sequence

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Source:
    """One video as a model sees it.

    Args:
        name: name of its record.
        inputs: (T, height, width, 3) frames or (T, ...) features; a memory map will do.
        points: fixations of the input's steps, (T, A, 2) in [0, 1], NaN-padded.
        key: tells the video and the state of its file from all others, for caches.
    """

    name: str
    inputs: np.ndarray
    points: np.ndarray
    key: str = ""

    def __post_init__(self):
        if len(self.inputs) != len(self.points):
            raise ValueError(
                "`inputs` and `points` must be of one length. "
                f"Received: {len(self.inputs)} and {len(self.points)} steps of {self.name!r}"
            )


class Windows:
    """Random windows for training, or all windows in order for validation.

    Args:
        sources: the videos.
        length: steps of the input in a window.
        lag: the first `lag` steps of a window get no prediction (15 for clips of 16 frames).
        batch_size: windows in a batch.
        per_video: windows drawn from a video in an epoch.
        max_points: fixations a frame; where there are more, a new sample is drawn every time.
        flips: mirror half of the windows, left to right. For frames only.
        vertical_flips: turn half of the windows upside down. For frames only.
        zoom: cut every window to a random part of the frame, whose sides are at least this share
            of the frame's, and enlarge it; 1 leaves the frame. For frames only.
        jitter: change contrast and brightness of every window by at most this share. For frames
            only.
        seed: of all choices.
        key: name of the model's input.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        length: int,
        lag: int = 0,
        batch_size: int = 8,
        per_video: int = 1,
        max_points: int | None = None,
        flips: bool = False,
        vertical_flips: bool = False,
        zoom: float = 1.0,
        jitter: float = 0.0,
        seed: int = 0,
        key: str = "rgb",
    ):
        if not sources:
            raise ValueError("`sources` must hold at least one video. Received: none")
        if not 0 <= lag < length:
            raise ValueError(f"`length` must be above `lag`. Received: length={length}, lag={lag}")
        if min(batch_size, per_video) < 1:
            raise ValueError(
                "`batch_size` and `per_video` must be at least 1. "
                f"Received: batch_size={batch_size}, per_video={per_video}"
            )
        if (flips or vertical_flips or zoom != 1 or jitter) and key != "rgb":
            raise ValueError(
                "`flips`, `vertical_flips`, `zoom` and `jitter` need frames as input. "
                "Received: cached features"
            )
        if not (0 < zoom <= 1 and 0 <= jitter < 1):
            raise ValueError(
                "`zoom` must be in (0, 1] and `jitter` in [0, 1). "
                f"Received: zoom={zoom}, jitter={jitter}"
            )
        self.sources = tuple(sources)
        self.length = length
        self.lag = lag
        self.batch_size = batch_size
        self.per_video = per_video
        most = max(source.points.shape[1] for source in self.sources)
        self.num_points = max(1, most if max_points is None else min(most, max_points))
        self.flips = flips
        self.vertical_flips = vertical_flips
        self.zoom = zoom
        self.jitter = jitter
        self.seed = seed
        self.key = key

    @property
    def steps(self) -> int:
        """Batches in an epoch of training."""
        return math.ceil(len(self.sources) * self.per_video / self.batch_size)

    def batches(self, epoch: int, step: int = 0) -> Iterator[tuple[np.ndarray, dict]]:
        """An epoch's random batches from `step` on, read ahead in a thread."""
        return _ahead(self.batch(epoch, index) for index in range(step, self.steps))

    def batch(self, epoch: int, step: int) -> tuple[np.ndarray, dict]:
        """One random batch: inputs (B, length, ...), {"mixture": (B, length - lag, A, 2)}."""
        count = len(self.sources) * self.per_video
        order = np.random.default_rng([self.seed, epoch]).permutation(count)
        samples = []
        for index in range(step * self.batch_size, (step + 1) * self.batch_size):
            # The last batch is filled up with the first windows of the order.
            source = self.sources[order[index % count] % len(self.sources)]
            rng = np.random.default_rng([self.seed, epoch, index])
            room = len(source.inputs) - self.length
            start = int(rng.integers(0, room + 1)) if room > 0 else 0
            samples.append(self._cut(source, start, rng, training=True))
        return self._stack(samples)

    def in_order(self) -> Iterator[tuple[np.ndarray, dict, list[tuple[int, int, int]]]]:
        """Windows that cover every video's predicted steps once, with where they come from.

        The third item says of each window: number of the source, its first predicted step, and
        how many predicted steps count from there (the rest is padding, or was given before).
        """
        places = []
        for number, source in enumerate(self.sources):
            hop = self.length - self.lag
            for start in range(0, max(1, len(source.inputs) - self.lag), hop):
                left = len(source.inputs) - self.lag - start
                places.append((number, start, max(0, min(hop, left))))
        for first in range(0, len(places), self.batch_size):
            chosen = places[first : first + self.batch_size]
            rng = np.random.default_rng([self.seed, 1 << 20, first])
            cuts = [self._cut(self.sources[n], start, rng) for n, start, _ in chosen]
            yield *self._stack(cuts), [(n, start + self.lag, count) for n, start, count in chosen]

    def _cut(self, source: Source, start: int, rng, training: bool = False):
        flip = training and self.flips and rng.random() < 0.5
        stop = min(start + self.length, len(source.inputs))
        inputs = np.asarray(source.inputs[start:stop])
        points = np.asarray(source.points[start + self.lag : stop], np.float32)
        if points.shape[1] > self.num_points:
            points = _draw(points, self.num_points, rng)
        if flip:
            inputs = inputs[:, :, ::-1]
            points = points * np.float32([-1, 1]) + np.float32([1, 0])
        if training and self.vertical_flips and rng.random() < 0.5:
            inputs = inputs[:, ::-1]
            points = points * np.float32([1, -1]) + np.float32([0, 1])
        if training and self.zoom < 1:
            inputs, points = _zoomed(inputs, points, rng, self.zoom)
        if training and self.jitter:
            inputs = _jittered(inputs, rng, self.jitter)
        return inputs, points

    def _stack(self, samples):
        shape, kind = samples[0][0].shape[1:], samples[0][0].dtype
        inputs = np.zeros((len(samples), self.length, *shape), kind)
        points = np.full(
            (len(samples), self.length - self.lag, self.num_points, 2), np.nan, np.float32
        )
        for index, (frames, gaze) in enumerate(samples):
            inputs[index, : len(frames)] = frames
            inputs[index, len(frames) :] = frames[-1]  # a short video stands still, unwatched
            points[index, : len(gaze), : gaze.shape[1]] = gaze
        return inputs, {"mixture": points}


def _draw(points: np.ndarray, count: int, rng) -> np.ndarray:
    """Keep `count` random fixations a frame, real ones before padding."""
    rank = rng.random(points.shape[:2]) + np.isnan(points).any(-1)
    chosen = np.argsort(rank, axis=1, kind="stable")[:, :count]
    return np.take_along_axis(points, chosen[..., None], axis=1)


def _zoomed(frames: np.ndarray, points: np.ndarray, rng, least: float):
    """One random part of all frames, at the frames' size; fixations outside it are no more."""
    height, width = frames.shape[1:3]
    share = rng.uniform(least, 1.0)
    rows, columns = max(1, round(share * height)), max(1, round(share * width))
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    part = frames[:, top : top + rows, left : left + columns]
    resized = [cv2.resize(np.ascontiguousarray(frame), (width, height)) for frame in part]
    corner, size = np.float32([left, top]), np.float32([columns, rows])
    points = (points * np.float32([width, height]) - corner) / size
    outside = ((points < 0) | (points >= 1)).any(-1, keepdims=True)
    return np.stack(resized), np.where(outside, np.float32(np.nan), points)


def _jittered(frames: np.ndarray, rng, most: float) -> np.ndarray:
    """The frames with one random contrast and brightness."""
    contrast, brightness = rng.uniform(1 - most, 1 + most), rng.uniform(-most, most) * 127.5
    levels = (np.arange(256) - 127.5) * contrast + 127.5 + brightness
    return np.clip(levels, 0, 255).round().astype(np.uint8)[frames]


def _ahead(items: Iterator, depth: int = 2) -> Iterator:
    """Run an iterator in a thread, `depth` items ahead; its errors appear here."""
    done, ready, stop = object(), queue.Queue(depth), threading.Event()

    def put(item) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work():
        try:
            for item in itertools.chain(items, [done]):
                if not put(item):
                    return
        except BaseException as error:
            put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (item := ready.get()) is not done:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
