"""A callback that writes a profiler trace for TensorBoard."""

from __future__ import annotations

import os

import keras


class Profile(keras.callbacks.Callback):
    """Profiles a few steps of the first epoch that this process trains.

    Works on TensorFlow and JAX. `tensorboard --logdir FOLDER` shows the trace under "Profile" if
    `tensorboard-plugin-profile` is installed.

    Args:
        folder: folder for the trace.
        first: number of steps before the trace starts; they compile and warm up.
        steps: number of steps to trace.

    Raises:
        ValueError: if the backend is neither TensorFlow nor JAX.

    Example: `model.fit(data, callbacks=[Profile("runs/mine/logs/profile")])`
    """

    def __init__(self, folder: str | os.PathLike, *, first: int = 3, steps: int = 5):
        super().__init__()
        if keras.config.backend() not in ("tensorflow", "jax"):
            raise ValueError(
                "Profiling needs the backend tensorflow or jax. "
                f"Received: backend={keras.config.backend()!r}"
            )
        self.folder, self.first, self.steps = str(folder), first, steps
        self._seen = 0
        self._running = False

    def on_train_batch_end(self, batch, logs=None):
        self._seen += 1
        if self._seen == self.first:
            self._switch(True)
        elif self._seen == self.first + self.steps:
            self._switch(False)

    def on_train_end(self, logs=None):
        self._switch(False)

    def _switch(self, on: bool) -> None:
        if on == self._running:
            return
        self._running = on
        if keras.config.backend() == "jax":
            import jax

            jax.profiler.start_trace(self.folder) if on else jax.profiler.stop_trace()
        else:
            import tensorflow as tf

            profiler = tf.profiler.experimental
            profiler.start(self.folder) if on else profiler.stop()
