"""How long a step takes, and how much of it is waiting for input."""

from __future__ import annotations

import time

import keras
import numpy as np

TIMINGS = ("step_seconds", "input_wait")


class InputWait:
    """Measures the time that a `tf.data.Dataset` keeps its reader waiting.

    Example:

    ```python
    wait = InputWait()
    model.fit(wait.measured(dataset), callbacks=[Timing(wait)])
    ```
    """

    def __init__(self):
        self.seconds = 0.0

    def measured(self, dataset):
        """The dataset, whose reader's waiting is counted from now on; others pass through."""
        import tensorflow as tf

        if not isinstance(dataset, tf.data.Dataset):
            return dataset

        # Not `tf.timestamp`: TensorFlow refuses it where deterministic operations are asked for.
        # Functions with a state are neither run ahead nor beside each other.
        def clock(number):
            return np.float64(time.perf_counter())

        def note(asked):
            self.seconds += time.perf_counter() - asked
            return np.int64(0)

        def received(asked, batch):
            noted = tf.numpy_function(note, [asked], tf.int64)
            with tf.control_dependencies([noted]):
                return tf.nest.map_structure(tf.identity, batch)

        # `zip` asks its parts one after the other: the clock is read, then the batch is waited for.
        asked = tf.data.Dataset.counter().map(
            lambda number: tf.numpy_function(clock, [number], tf.float64)
        )
        measured = tf.data.Dataset.zip((asked, dataset)).map(received)
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False  # it would wait on its own
        return measured.with_options(options)


class Timing(keras.callbacks.Callback):
    """Adds `learning_rate`, `step_seconds`, and `input_wait` as a share of them, to the logs.

    The first execution of a process is not counted: it compiles.

    Args:
        wait: `InputWait` of the data; None leaves `input_wait` out.
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
