"""Measures the time per step and the share of it spent waiting for input."""

from __future__ import annotations

import time

import keras
import numpy as np

TIMINGS = ("step_seconds", "input_wait")


class InputWait:
    """Measures how long training waits for a `tf.data.Dataset`.

    `seconds` holds the waiting time so far.

    Example:

    ```python
    wait = InputWait()
    model.fit(wait.measured(dataset), callbacks=[Timing(wait)])
    ```
    """

    def __init__(self):
        self.seconds = 0.0

    def measured(self, dataset):
        """Wrap a dataset so that waiting for it is timed; return other inputs unchanged."""
        import tensorflow as tf

        if not isinstance(dataset, tf.data.Dataset):
            return dataset

        # Not `tf.timestamp`, which TensorFlow refuses when deterministic operations are enabled.
        # TensorFlow runs stateful functions neither ahead of time nor in parallel.
        def clock(number):
            return np.float64(time.perf_counter())

        def note(asked):
            self.seconds += time.perf_counter() - asked
            return np.int64(0)

        def received(asked, batch):
            noted = tf.numpy_function(note, [asked], tf.int64)
            with tf.control_dependencies([noted]):
                return tf.nest.map_structure(tf.identity, batch)

        # `zip` reads its parts in order: first the clock, then the batch that may block.
        asked = tf.data.Dataset.counter().map(
            lambda number: tf.numpy_function(clock, [number], tf.float64)
        )
        measured = tf.data.Dataset.zip((asked, dataset)).map(received)
        options = tf.data.Options()
        # With a prefetch here, a separate thread would wait, unmeasured.
        options.experimental_optimization.inject_prefetch = False
        return measured.with_options(options)


class Timing(keras.callbacks.Callback):
    """Adds `learning_rate`, `step_seconds` and `input_wait` to an epoch's logs.

    `input_wait` is the share of the time spent waiting for input, between 0 and 1. The first
    execution in a process is not counted, because it compiles.

    Args:
        wait: the `InputWait` of the dataset; None leaves out `input_wait`.
    """

    def __init__(self, wait: InputWait | None = None):
        super().__init__()
        self.wait = wait
        self._begun = None
        self._compiled = False

    def on_epoch_begin(self, epoch, logs=None):
        self._begun = None
        if self._compiled:
            self._begin(0)

    def on_train_batch_end(self, batch, logs=None):
        self._end = time.perf_counter(), batch + 1
        if self._begun is None:
            self._compiled = True
            self._begin(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        logs["learning_rate"] = float(rate)
        (began, first, waited), (ended, last) = self._begun, self._end
        if last > first:
            seconds = ended - began
            logs["step_seconds"] = seconds / (last - first)
            if self.wait is not None:
                logs["input_wait"] = (self.wait.seconds - waited) / seconds

    def _begin(self, step: int) -> None:
        self._begun = time.perf_counter(), step, self.wait.seconds if self.wait else 0.0
