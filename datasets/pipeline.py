"""tf.data of windows: which frames is drawn first, and only those are decoded."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import Record
from zoo.datasets.transforms import HorizontalFlip
from zoo.datasets.video.clips import FrameCache
from zoo.datasets.video.reading import open_video

TARGETS = ("mixture", "action")
FOREVER = 1 << 40


def window_dataset(
    records: Sequence[Record],
    *,
    image_size: tuple[int, int] = (112, 112),
    window: int = 48,
    clip_length: int = 16,
    batch_size: int = 4,
    max_points: int = 20,
    targets: Sequence[str] = ("mixture",),
    shuffle: bool = True,
    hop: int | None = None,
    transforms: Sequence[Callable] = (HorizontalFlip(),),
    cache: FrameCache | None = None,
    seed: int = 0,
    epochs: int | None = 1,
    start_epoch: int = 0,
    start_step: int = 0,
    workers: int = 2,
) -> tf.data.Dataset:
    """Windows of videos as ({"rgb"}, targets) or, with several targets, (..., weights).

    `rgb` is (batch, window, height, width, 3) uint8; target `mixture` the fixations of the frames
    that a model with clips of `clip_length` frames predicts, (batch, window - clip_length + 1,
    max_points, 2), NaN-padded; target `action` the label, (batch,) int32. A sample without a
    target carries weight 0 for it.

    Everything that is drawn - places, order, fixations, transforms - depends on the seed, the
    epoch and the place in the epoch alone, not on the number of workers; `start_epoch` and
    `start_step` go on exactly where an earlier run stopped.

    Args:
        records: Videos; those shorter than the window are left out and named in a warning.
        image_size: (height, width).
        window: Frames a sample.
        clip_length: Frames a prediction needs; 1 for a model with one a frame.
        batch_size: Samples a step; the last step of an epoch may have fewer.
        max_points: Fixations a frame; more are sampled.
        targets: "mixture", "action" or both.
        shuffle: Draw places and order; False takes every `hop` frames in order, the last window
            of a video at its end, without transforms.
        hop: Frames between windows with `shuffle=False`; None: each prediction appears once.
        transforms: Callables (sample, generator) -> sample (`zoo.datasets.transforms`).
        cache: Keeps decoded frames; None decodes every window anew.
        seed: Seed of all draws.
        epochs: Epochs in all, counted from 0; None is without end.
        start_epoch: Epoch to begin with.
        start_step: Step of that epoch to begin with.
        workers: Batches prepared at a time.
    """
    if not 1 <= clip_length <= window:
        raise ValueError(
            "`clip_length` must be in [1, window]. Received: "
            f"clip_length={clip_length}, window={window}"
        )
    if not targets or any(name not in TARGETS for name in targets):
        raise ValueError(f"`targets` must be some of {TARGETS}. Received: targets={targets}")
    for name, value in (("batch_size", batch_size), ("max_points", max_points)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    source = _Source(records, image_size, window, max_points, cache)
    plan = functools.partial(
        epoch_plan,
        source.lengths,
        window,
        shuffle=shuffle,
        hop=hop or window - clip_length + 1,
        seed=seed,
    )
    steps = -(-len(plan(epoch=0)) // batch_size)
    if not 0 <= start_step <= steps:
        raise ValueError(f"`start_step` must be in [0, {steps}]. Received: start_step={start_step}")

    def rows(epoch: np.ndarray) -> np.ndarray:
        places = plan(epoch=int(epoch))
        first = start_step * batch_size if epoch == start_epoch else 0
        numbers = np.arange(len(places))[:, None]
        return np.concatenate([places, np.full_like(numbers, epoch), numbers], 1)[first:]

    def batch(table: np.ndarray) -> tuple[np.ndarray, ...]:
        samples = [
            source.sample(*row.tolist(), seed=seed, transforms=transforms if shuffle else ())
            for row in table
        ]
        rgb, fixations, label, watched = (np.stack(part) for part in zip(*samples))
        return rgb, fixations[:, clip_length - 1 :], label, watched

    def tensors(table: tf.Tensor):
        kinds = (tf.uint8, tf.float32, tf.int32, tf.float32)
        rgb, fixations, label, watched = tf.numpy_function(batch, [table], kinds, stateful=False)
        rgb.set_shape([None, window, *image_size, 3])
        fixations.set_shape([None, window - clip_length + 1, max_points, 2])
        label.set_shape([None])
        watched.set_shape([None])
        known = tf.cast(label >= 0, tf.float32)
        held = {"mixture": fixations, "action": tf.maximum(label, 0)}
        weights = {"mixture": watched, "action": known}
        y = {name: held[name] for name in targets}
        if len(targets) == 1:
            return {"rgb": rgb}, y
        return {"rgb": rgb}, y, {name: weights[name] for name in targets}

    def epoch_rows(epoch: tf.Tensor) -> tf.data.Dataset:
        table = tf.numpy_function(rows, [epoch], tf.int64, stateful=False)
        table.set_shape([None, 4])
        return tf.data.Dataset.from_tensor_slices(table).batch(batch_size)

    last = FOREVER if epochs is None else epochs
    dataset = tf.data.Dataset.range(start_epoch, max(last, start_epoch)).flat_map(epoch_rows)
    dataset = dataset.map(tensors, num_parallel_calls=workers, deterministic=True)
    if epochs is not None:
        total = max(0, (epochs - start_epoch) * steps - start_step)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(total))
    return dataset.prefetch(workers)


def epoch_plan(
    lengths: Sequence[int], window: int, *, shuffle: bool, hop: int, seed: int, epoch: int = 0
) -> np.ndarray:
    """Rows of (video, first frame) of an epoch; as many a video as windows fit into it."""
    rng = np.random.default_rng([seed, epoch])
    places = []
    for video, length in enumerate(lengths):
        if shuffle:
            starts = rng.integers(0, length - window + 1, size=max(1, length // window))
        else:
            starts = np.append(np.arange(0, length - window, hop), length - window)
        places += [(video, int(start)) for start in starts]
    table = np.asarray(places, np.int64).reshape(-1, 2)
    return table[rng.permutation(len(table))] if shuffle else table


class _Source:
    """Reads samples of records; fixations are read once and kept."""

    def __init__(self, records, image_size, window, max_points, cache):
        self.size = (int(image_size[0]), int(image_size[1]))
        self.window, self.max_points, self.cache = window, max_points, cache
        self.records, self.lengths, self.videos, self.gaze, short = [], [], [], [], []
        for record in records:
            if cache is None:
                video = open_video(record.video, start=record.start, end=record.end)
                length = video.num_frames
            else:
                video = cache.get(record, self.size)
                length = len(video)
            if length < window:
                short.append(f"{record.name} ({length})")
                continue
            fps = None if cache is None else cache.fps
            gaze = None if record.gaze is None else read_fixations(record, fps=fps)
            if gaze is not None and gaze.num_frames != length:
                raise ValueError(
                    "A video and its gaze must have one number of frames. Received: "
                    f"{length} and {gaze.num_frames} of {record.name}"
                )
            self.records.append(record)
            self.lengths.append(length)
            self.videos.append(video)
            self.gaze.append(gaze)
        told = f"{len(short)} of {len(records)} videos have fewer than {window} frames"
        if not self.records:
            raise ValueError(f"At least one video must fill a window. Received: {told}: {short}")
        if short:
            warnings.warn(f"{told} and are left out: {', '.join(short)}", stacklevel=3)

    def sample(self, video: int, start: int, epoch: int, number: int, *, seed, transforms):
        record, gaze = self.records[video], self.gaze[video]
        rng = np.random.default_rng([seed, epoch, number, 1])
        part = range(start, start + self.window)
        if self.cache is None:
            rgb = self.videos[video].read(part, self.size)
        else:
            rgb = np.array(self.videos[video][start : start + self.window])
        fixations = np.full((self.window, self.max_points, 2), np.nan, np.float32)
        if gaze is not None:
            drawn = int(rng.integers(1 << 31))
            fixations = gaze.in_frames(part.start, part.stop).padded(self.max_points, drawn)
        held = {"rgb": rgb, "fixations": fixations}
        for transform in transforms:
            held = transform(held, rng)
        label = record.label if isinstance(record.label, int) else -1
        watched = np.float32(gaze is not None)
        return held["rgb"], held["fixations"], np.int32(label), watched
