"""tf.data of batches for `model.fit`: each batch is a function of the seed and the step alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zoo.datasets.samples.samples import Samples

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
    """Endless training batches (inputs, targets, sample weights), as `model.fit` takes them.

    Targets and weights are dicts by name, and so are several inputs; a single one is the tensor
    itself, as models of one input take it.

    Each epoch's samples come in a new order, and epochs follow each other without a gap, so that
    every batch is full. Batch `step` is the same whatever the number of workers and wherever the
    stream starts: a run that was stopped goes on with `start_step`. With several hosts, each
    gets its rows of the same global batch.

    An error in a sample is kept in `samples.fault`; TensorFlow raises its own with its text.

    Args:
        samples: What is given.
        batch_size: Samples in a (global) batch.
        start_step: The first step.
        shard: (host, hosts): this host's rows of each batch.
        workers: Samples prepared at a time; None lets tf.data choose.

    Example:

    ```python
    from zoo.datasets import Samples, Windows, stream

    samples = Samples(records, Windows(48))
    model.fit(stream(samples, batch_size=4), steps_per_epoch=100, epochs=10)
    ```
    """
    rows, first = _rows(batch_size, shard)
    if len(samples) < batch_size:
        raise ValueError(
            "An epoch must have at least one batch of samples; lower `batch_size`, or draw more "
            f"samples of each video with `per_video`. Received: {len(samples)} samples of "
            f"{len(samples.records)} videos, batch_size={batch_size}"
        )
    if start_step < 0:
        raise ValueError(f"`start_step` must be at least 0. Received: start_step={start_step}")

    def read(number: int):
        step, row = divmod(number, rows)
        return samples.draw(step * batch_size + first + row, step)

    return _dataset(samples, read, (start_step * rows, FOREVER), rows, workers)


def validation(
    samples: Samples,
    batch_size: int,
    *,
    shard: tuple[int, int] = (0, 1),
    workers: int | None = None,
) -> tf.data.Dataset:
    """All samples in order once, in full batches; zero weights fill up the last.

    Row r of batch b is `samples.places[b * batch_size + r]` (with several hosts, this host's rows
    of it), without transforms.

    Args:
        samples, batch_size, shard, workers: As in `stream`.
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
    """This host's rows of a batch: how many, and the first."""
    host, hosts = shard
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    if not 0 <= host < hosts:
        raise ValueError(f"`shard` must be (host, hosts), host below hosts. Received: {shard}")
    if batch_size % hosts:
        raise ValueError(
            "`batch_size`, of all hosts together, must be divisible by the number of hosts. "
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
    # Threads of its own: more than one a processor where reading waits for a network, and none of
    # those that compute the training step.
    choices = tf.data.Options()
    choices.threading.private_threadpool_size = max(workers or 0, os.cpu_count() or 1)
    return dataset.with_options(choices)
