"""tf.data of sampled frames: frame numbers first, those decoded, changed, batched, read ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import Record
from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.datasets.transforms import Sample
from zoo.datasets.video.reading import open_video

Transform = Callable[[Sample, np.random.Generator], Sample]
FOREVER = 1 << 40


class Sampling(Protocol):
    """`zoo.datasets.sampling.Windows`, `Segments`, or your own."""

    def draw(self, times: np.ndarray, rng: np.random.Generator) -> np.ndarray: ...

    def all(self, times: np.ndarray) -> np.ndarray: ...


class Samples:
    """Samples of videos as dicts of arrays; sample i of an epoch depends on seed, epoch and i.

    A sample holds `rgb` (time, height, width, 3) uint8, `frames` (time,), `video` (its number),
    `label` (-1: none, or several), and as wanted `fixations` (time, points, 2), NaN-padded,
    `boxes` (time, count, 4) in pixels of the picture, NaN where there is none, and `flow`
    (time, height, width, 2) out of shards.

    Args:
        records: Videos, in files, folders or shards.
        sampling: Which frames make a sample.
        image_size: (height, width).
        per_video: Samples of a video in an epoch.
        max_points: Fixations a frame, a sample of them where there are more; 0: none.
        max_boxes: Boxes a frame; 0: none.
        flow: Take the flow that the videos' shards hold; it must be of `image_size`.
        transforms: Changes, in this order.
        shuffle: Draw places and order; else the videos' samples in order, unchanged.
        seed: Of all draws.
    """

    def __init__(
        self,
        records: Sequence[Record],
        sampling: Sampling,
        *,
        image_size: tuple[int, int] = (112, 112),
        per_video: int = 1,
        max_points: int = 0,
        max_boxes: int = 0,
        flow: bool = False,
        transforms: Sequence[Transform] = (),
        shuffle: bool = True,
        seed: int = 0,
    ):
        if not records:
            raise ValueError("There must be at least one video. Received: none")
        if per_video < 1:
            raise ValueError(f"`per_video` must be at least 1. Received: per_video={per_video}")
        self.records = list(records)
        self.sampling, self.size = sampling, (int(image_size[0]), int(image_size[1]))
        self.per_video, self.max_points, self.max_boxes = per_video, max_points, max_boxes
        self.flow, self.transforms = flow, tuple(transforms)
        self.shuffle, self.seed = shuffle, seed
        self._videos: dict[int, Any] = {}
        self._gaze: dict[int, Any] = {}
        if flow:
            for record in self.records:
                self._flow_of(record)
        self._places = None if shuffle else self._in_order()

    def __len__(self) -> int:
        """Samples in an epoch."""
        if self._places is not None:
            return len(self._places)
        return len(self.records) * self.per_video

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of an epoch's samples as they follow each other."""
        if not self.shuffle:
            return np.arange(len(self))
        return np.random.default_rng([self.seed, epoch]).permutation(len(self))

    def sample(self, epoch: int, number: int) -> Sample:
        """One sample, decoded and changed."""
        rng = np.random.default_rng([self.seed, epoch, number, 2])
        if self._places is None:
            at = number // self.per_video
            frames = self._named(at, lambda times: self.sampling.draw(times, rng))
        else:
            at, frames = self._places[number]
        held = self.read(at, frames, rng)
        for transform in self.transforms if self.shuffle else ():
            held = transform(held, rng)
        return held

    def read(self, at: int, frames: np.ndarray, rng: np.random.Generator) -> Sample:
        """The sample of a video's frames, not changed."""
        record, video = self.records[at], self._video(at)
        frames = np.asarray(frames, np.int64)
        label = record.label if isinstance(record.label, (int, np.integer)) else -1
        held: Sample = {
            "rgb": video.read(frames, self.size),
            "frames": frames,
            "video": np.int64(at),
            "label": np.int32(label),
        }
        if self.max_points:
            held["fixations"] = self._fixations(at, frames, rng)
        if self.max_boxes:
            held["boxes"] = self._boxes(record, video, frames)
        if self.flow:
            held["flow"] = self._flow_of(record)[frames].astype(np.float32)
        return held

    def _video(self, at: int):
        if at not in self._videos:
            record = self.records[at]
            self._videos[at] = open_video(record.video, start=record.start, end=record.end)
        return self._videos[at]

    def _named(self, at: int, sample):
        video = self._video(at)
        try:
            return sample(video.source_times[video.source_indices])
        except ValueError as error:
            raise ValueError(f"{error} of {self.records[at].name!r}") from error

    def _in_order(self) -> list[tuple[int, np.ndarray]]:
        return [
            (at, frames)
            for at in range(len(self.records))
            for frames in self._named(at, self.sampling.all)
        ]

    def _fixations(self, at: int, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        drawn = int(rng.integers(1 << 31))
        if self.records[at].gaze is None:
            return np.full((len(frames), self.max_points, 2), np.nan, np.float32)
        if at not in self._gaze:
            self._gaze[at] = read_fixations(self.records[at], warn=False)
        return self._gaze[at].take(frames).padded(self.max_points, drawn)

    def _boxes(self, record: Record, video, frames: np.ndarray) -> np.ndarray:
        out = np.full((len(frames), self.max_boxes, 4), np.nan, np.float32)
        height, width = _own_size(record, video)
        grow = np.array([self.size[1] / width, self.size[0] / height] * 2)
        for place, tube in enumerate((record.boxes or ())[: self.max_boxes]):
            rows = frames - tube.start
            there = (rows >= 0) & (rows < len(tube.boxes))
            out[there, place] = np.asarray(tube.boxes, float)[rows[there]] * grow
        return out

    def _flow_of(self, record: Record):
        if not is_shard_video(record.video):
            raise ValueError(
                "`flow=True` needs videos in shards, made by `zoo prepare --flow`. "
                f"Received: {record.video}"
            )
        rows = shard_video(record.video).stream("flow")
        if rows.shape[1:3] != self.size:
            raise ValueError(
                "The flow in the shards must be of `image_size`. Received: "
                f"image_size={self.size}, flow of {rows.shape[1:3]} in {record.video}"
            )
        return rows


def _own_size(record: Record, video) -> tuple[int, int]:
    """The size of the pictures in whose pixels the boxes are."""
    if is_shard_video(record.video):
        facts = shard_video(record.video).facts
        return facts["height"], facts["width"]
    return video.height, video.width


def sample_dataset(
    samples: Samples,
    *,
    batch_size: int = 8,
    epochs: int | None = 1,
    start_epoch: int = 0,
    start_step: int = 0,
    workers: int = 2,
) -> tf.data.Dataset:
    """Batches of samples, read ahead; every step holds `batch_size` but an epoch's last.

    The same batches come whatever the number of workers, and `start_epoch` and `start_step` go
    on exactly where an earlier run stopped.

    Args:
        samples: What is given.
        batch_size: Samples a step.
        epochs: Epochs in all, counted from 0; None is without end.
        start_epoch: Epoch to begin with.
        start_step: Step of that epoch to begin with.
        workers: Samples prepared at a time.

    Example:

    ```python
    samples = Samples(records, Windows(30, fps=10), transforms=(HorizontalFlip(), Colour()))
    dataset = sample_dataset(samples, batch_size=8).map(lambda s: (s["rgb"], s["label"]))
    ```
    """
    steps = -(-len(samples) // batch_size)
    if batch_size < 1 or not 0 <= start_step <= steps:
        raise ValueError(
            f"`batch_size` must be at least 1 and `start_step` in [0, {steps}]. "
            f"Received: batch_size={batch_size}, start_step={start_step}"
        )
    first = samples.sample(start_epoch, 0)
    names = sorted(first)
    kinds = [tf.as_dtype(np.asarray(first[name]).dtype) for name in names]

    def numbers(epoch: np.ndarray) -> np.ndarray:
        order = samples.order(int(epoch))
        skipped = start_step * batch_size if epoch == start_epoch else 0
        return np.stack([np.full_like(order, epoch), order], 1)[skipped:].astype(np.int64)

    def read(row: np.ndarray) -> list[np.ndarray]:
        held = samples.sample(int(row[0]), int(row[1]))
        return [np.asarray(held[name]) for name in names]

    def tensors(row: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.numpy_function(read, [row], kinds, stateful=False)
        for name, value in zip(names, found):
            value.set_shape(np.shape(first[name]))
        return dict(zip(names, found))

    def epoch_of(epoch: tf.Tensor) -> tf.data.Dataset:
        table = tf.numpy_function(numbers, [epoch], tf.int64, stateful=False)
        table.set_shape([None, 2])
        rows = tf.data.Dataset.from_tensor_slices(table)
        return rows.map(tensors, num_parallel_calls=workers, deterministic=True).batch(batch_size)

    last = FOREVER if epochs is None else epochs
    dataset = tf.data.Dataset.range(start_epoch, max(last, start_epoch)).flat_map(epoch_of)
    if epochs is not None:
        total = max(0, (epochs - start_epoch) * steps - start_step)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(total))
    return dataset.prefetch(2)


def transformed(
    dataset: tf.data.Dataset, transforms: Sequence[Transform], *, seed: int = 0, workers: int = 2
) -> tf.data.Dataset:
    """A tf.data of samples with the transforms applied; draws depend on the seed and the place.

    Element i is changed as `transform(sample, numpy.random.default_rng([seed, i]))` does one
    after the other. The transforms must keep shapes and types, as all of
    `zoo.datasets.transforms` do.
    """
    spec = dataset.element_spec
    names = sorted(spec)

    def change(number: np.ndarray, *parts: np.ndarray) -> list[np.ndarray]:
        rng = np.random.default_rng([seed, int(number)])
        held = dict(zip(names, parts))
        for transform in transforms:
            held = transform(held, rng)
        return [np.array(held[name], parts[at].dtype, order="C") for at, name in enumerate(names)]

    def tensors(number: tf.Tensor, sample: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        given = [number, *(sample[name] for name in names)]
        kinds = [spec[name].dtype for name in names]
        found = tf.numpy_function(change, given, kinds, stateful=False)
        for name, value in zip(names, found):
            value.set_shape(spec[name].shape)
        return dict(zip(names, found))

    return dataset.enumerate().map(tensors, num_parallel_calls=workers, deterministic=True)


def shard_examples(files: Sequence[str], streams: Sequence[str] = ("rgb",)) -> tf.data.Dataset:
    """The TFRecords of shards one after the other, checked by tf.data, as it reads them.

    An element is a chunk of a video: `video` (its name), `frames` (first, end, total), and each
    stream's rows as strings - JPEG pictures for `tf.io.decode_jpeg`, else numbers for
    `tf.io.decode_raw`. With tensorflow-io imported, `files` may be at s3:// or http://.
    """
    wanted = {
        "video": tf.io.FixedLenFeature([], tf.string),
        "frames": tf.io.FixedLenFeature([3], tf.int64),
        **{name: tf.io.RaggedFeature(tf.string) for name in streams},
    }
    records = tf.data.TFRecordDataset(list(files))
    return records.map(lambda record: tf.io.parse_single_example(record, wanted))
