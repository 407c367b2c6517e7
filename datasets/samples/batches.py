"""tf.data batches for `model.fit`: each batch depends only on the seed and the step."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zoo.datasets.samples.samples import Samples
from zoo.files.interface import advised

if TYPE_CHECKING:
    import tensorflow as tf

FOREVER = 1 << 40


def stream(
    samples: Samples,
    batch_size: int,
    *,
    start_step: int = 0,
    shard: tuple[int, int] = (0, 1),
    workers: int | None = None,
) -> tf.data.Dataset:
    """Endless training batches (inputs, targets, sample weights) for `model.fit`.

    Targets and weights are dicts by name. So are the inputs if there are several; a single input
    is the tensor itself, as models with one input expect it.

    Each epoch shuffles the samples anew, and epochs follow each other without a gap, so every
    batch is full. Batch `step` does not depend on the number of workers or on where the stream
    starts, so an interrupted run continues exactly with `start_step`. With several hosts, each
    one gets its own rows of the same global batch.

    An error in a sample is kept in `samples.fault`; TensorFlow raises its own error with the same
    text.

    Args:
        samples: The samples.
        batch_size: Number of samples in a batch, over all hosts.
        start_step: The first step.
        shard: (host, hosts): number of this host, from 0, and number of hosts.
        workers: Number of samples prepared in parallel; None lets tf.data choose.

    Raises:
        ValueError: There are fewer samples than `batch_size`, or an argument is out of range.

    Example:

    ```python
    from zoo.datasets import Samples, Windows, stream

    samples = Samples(records, Windows(48))
    model.fit(stream(samples, batch_size=4), steps_per_epoch=100, epochs=10)
    ```
    """
    rows, first = _rows(batch_size, shard)
    check_batch(samples, batch_size)
    if start_step < 0:
        raise ValueError(f"`start_step` must be at least 0. Received: start_step={start_step}")

    def read(number: int):
        step, row = divmod(number, rows)
        return samples.draw(step * batch_size + first + row, step)

    return _dataset(samples, read, (start_step * rows, FOREVER), rows, workers)


def check_batch(samples: Samples, batch_size: int) -> None:
    """Raise an error if an epoch's samples do not fill a batch."""
    if len(samples) < batch_size:
        raise ValueError(
            "An epoch must have at least one batch of samples; draw more samples from each video, "
            f"or lower {advised('`batch_size`', '--batch-size')}. Received: {len(samples)} samples "
            f"of {len(samples.records)} videos, batch_size={batch_size}"
        )


def validation(
    samples: Samples,
    batch_size: int,
    *,
    shard: tuple[int, int] = (0, 1),
    workers: int | None = None,
) -> tf.data.Dataset:
    """All samples once, in order; the last batch is padded with samples of zero weight.

    Row r of batch b is `samples.places[b * batch_size + r]` (with several hosts, only this host's
    rows), without transforms.

    Args:
        samples, batch_size, shard, workers: As in `stream`.

    Raises:
        ValueError: An argument is out of range.

    Example: `model.evaluate(validation(samples, batch_size=4))`
    """
    rows, first = _rows(batch_size, shard)
    count = len(samples.places)
    batches = -(-count // batch_size)

    def read(number: int):
        batch, row = divmod(number, rows)
        place = batch * batch_size + first + row
        inputs, targets, weights = samples.in_order(min(place, count - 1))
        if place >= count:
            weights = {name: np.float32(0) for name in weights}
        return inputs, targets, weights

    import tensorflow as tf

    dataset = _dataset(samples, read, (0, batches * rows), rows, workers)
    return dataset.apply(tf.data.experimental.assert_cardinality(batches))


def _rows(batch_size: int, shard: tuple[int, int]) -> tuple[int, int]:
    """The number of this host's rows in a batch, and the first of them."""
    host, hosts = shard
    if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise ValueError(
            f"`batch_size` must be an integer of at least 1. Received: batch_size={batch_size!r}"
        )
    if not 0 <= host < hosts:
        raise ValueError(f"`shard` must be (host, hosts) with host < hosts. Received: {shard}")
    if batch_size % hosts:
        raise ValueError(
            "`batch_size` (over all hosts) must be divisible by the number of hosts. "
            f"Received: batch_size={batch_size}, {hosts} hosts"
        )
    return batch_size // hosts, host * (batch_size // hosts)


def _dataset(
    samples: Samples,
    read: Callable,
    numbers: tuple[int, int],
    rows: int,
    workers: int | None,
) -> tf.data.Dataset:
    if workers is not None and workers < 1:
        raise ValueError(f"`workers` must be at least 1, or None. Received: workers={workers}")
    import tensorflow as tf

    spec = [(name, *part[name]) for part in samples.spec for name in part]
    kinds = [tf.as_dtype(kind) for _, _, kind in spec]

    def flat(number: np.ndarray) -> list[np.ndarray]:
        try:
            parts = read(int(number))
        except Exception as error:
            samples.fault = error
            raise
        values = [part[name] for part, names in zip(parts, samples.spec) for name in names]
        return [np.asarray(value, kind) for value, (_, _, kind) in zip(values, spec)]

    def tensors(number: tf.Tensor):
        found = tf.numpy_function(flat, [number], kinds, stateful=False)
        for value, (_, shape, _) in zip(found, spec):
            value.set_shape(shape)
        held = iter(found)
        inputs, targets, weights = ({name: next(held) for name in part} for part in samples.spec)
        if len(inputs) == 1:
            (inputs,) = inputs.values()
        return inputs, targets, weights

    dataset = tf.data.Dataset.range(*numbers)
    parallel = tf.data.AUTOTUNE if workers is None else workers
    dataset = dataset.map(tensors, num_parallel_calls=parallel, deterministic=True)
    dataset = dataset.batch(rows, drop_remainder=True).prefetch(2)
    # A separate thread pool, so that reading does not take threads from the training step. It may
    # have more threads than processors, for reading that waits for a network.
    choices = tf.data.Options()
    choices.threading.private_threadpool_size = max(workers or 0, os.cpu_count() or 1)
    return dataset.with_options(choices)
