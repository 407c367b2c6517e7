"""Temporal pooling at stride 1 without dilated convolutions."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.neighbours import neighbours

USUAL, FASTEST = 30.0, 240.0  # frames per second


@keras.saving.register_keras_serializable(package="zoo")
class SplitPhases(keras.layers.Layer):
    """Splits the frames into `factor` interleaved sequences (phases), stacked along the batch.

    A network with temporal pooling of stride 2 becomes dense, with one output per frame, if the
    pooling runs at stride 1 and the following layers are dilated by 2. In the dilated part, even
    and odd frames never interact, so they can be processed as two ordinary sequences: with the
    same result, but without dilated convolutions, which are slow or missing on CPUs.

    Args:
        factor: Number of phases.

    Input shape: (batch, time, ...), time a multiple of `factor`.

    Output shape: (batch * factor, time / factor, ...), the phases of a sample next to each other.

    Raises:
        ValueError: `factor` is below 1.

    Example: `SplitPhases(2)` on frames 0 1 2 3 gives the batch (0 2), (1 3).
    """

    def __init__(self, factor: int = 2, **kwargs):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"`factor` must be at least 1. Received: factor={factor}")
        self.factor = factor

    def call(self, inputs):
        rest = inputs.shape[2:]
        time = ops.shape(inputs)[1]
        x = ops.reshape(inputs, (-1, time // self.factor, self.factor, *rest))
        x = ops.moveaxis(x, 2, 1)
        return ops.reshape(x, (-1, time // self.factor, *rest))

    def compute_output_shape(self, input_shape):
        batch, time, *rest = input_shape
        batch = None if batch is None else batch * self.factor
        return (batch, None if time is None else time // self.factor, *rest)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="zoo")
class MergePhases(SplitPhases):
    """Undoes `SplitPhases`: interleaves the phases into one sequence again.

    Args:
        factor: Total number of phases over all splits to undo.

    Input shape: (batch * factor, time / factor, ...).

    Output shape: (batch, time, ...).

    Example: `MergePhases(8)` undoes three `SplitPhases(2)`.
    """

    def call(self, inputs):
        x = inputs
        factor = self.factor
        while factor > 1:
            # Splits by 2 are nested, so undo them one at a time, the last one first.
            step = 2 if factor % 2 == 0 else factor
            time, rest = ops.shape(x)[1], x.shape[2:]
            x = ops.reshape(x, (-1, step, time, *rest))
            x = ops.moveaxis(x, 1, 2)
            x = ops.reshape(x, (-1, time * step, *rest))
            factor //= step
        return x

    def compute_output_shape(self, input_shape):
        batch, time, *rest = input_shape
        batch = None if batch is None else batch // self.factor
        return (batch, None if time is None else time * self.factor, *rest)


@keras.saving.register_keras_serializable(package="zoo")
class PadTime(keras.layers.Layer):
    """Appends zero frames so that their number is a multiple of `multiple`.

    Args:
        multiple: Divisor of the padded length.

    Input shape: (batch, time, ...).

    Output shape: (batch, time rounded up, ...).

    Raises:
        ValueError: `multiple` is below 1.

    Example: `PadTime(8)` pads 50 frames to 56.
    """

    def __init__(self, multiple: int = 8, **kwargs):
        super().__init__(**kwargs)
        if multiple < 1:
            raise ValueError(f"`multiple` must be at least 1. Received: multiple={multiple}")
        self.multiple = multiple

    def call(self, inputs):
        time = ops.shape(inputs)[1]
        missing = (-time) % self.multiple
        if isinstance(missing, int) and missing == 0:
            return inputs
        # Not `ops.pad`: TensorFlow's graph optimiser would fuse the padding into the following 3D
        # convolution and then lose that convolution's own "same" padding.
        zeros = ops.zeros_like(inputs[:, :1])
        zeros = ops.repeat(zeros, self.multiple - 1, axis=1)[:, :missing]
        return ops.concatenate([inputs, zeros], axis=1)

    def compute_output_shape(self, input_shape):
        batch, time, *rest = input_shape
        return (batch, None if time is None else time + (-time) % self.multiple, *rest)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable(package="zoo")
class CropTime(keras.layers.Layer):
    """Crops the first input to the number of frames of the second.

    Input shape: [(batch, padded time, ...), (batch, time, ...)].

    Output shape: (batch, time, ...).

    Example: `CropTime()([features, rgb])`
    """

    def call(self, inputs):
        padded, like = inputs
        return padded[:, : ops.shape(like)[1]]

    def compute_output_shape(self, input_shape):
        padded, like = input_shape
        return (padded[0], like[1], *padded[2:])


@keras.saving.register_keras_serializable(package="zoo")
class MaskPaddedTime(keras.layers.Layer):
    """Resets the frames that `PadTime` appended to zero, in an input split into phases.

    The bias of a convolution makes them non-zero, but the next convolution should see zeros past
    the end of the video.

    Args:
        factor: Number of phases that the first input is split into.

    Input shape: [(batch * factor, padded time / factor, ...), (batch, time, ...)].

    Output shape: that of the first input.

    Example: `MaskPaddedTime(2)([features, rgb])`
    """

    def __init__(self, factor: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        x, like = inputs
        time = ops.shape(like)[1]
        steps = ops.shape(x)[1]
        if isinstance(time, int) and isinstance(steps, int) and time == steps * self.factor:
            return x
        frames = ops.reshape(ops.arange(0, steps * self.factor, dtype="int32"), (1, -1))
        split = SplitPhases(2)
        factor = self.factor
        while factor > 1:
            frames = split.call(frames)
            factor //= 2
        real = ops.cast(frames < time, x.dtype)  # (factor, steps)
        real = ops.tile(real, (ops.shape(x)[0] // self.factor, 1))
        return x * ops.reshape(real, (-1, steps, *[1] * (len(x.shape) - 2)))

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="zoo")
class NeighbourMax(keras.layers.Layer):
    """Maximum over each frame and its neighbours: max pooling over time at stride 1.

    Frames beyond the ends count as zero, so the input must not be negative.

    Args:
        causal: False uses neighbours on both sides (with an even `size`, one more after the frame
            than before it); True uses only frames before it.
        size: Number of frames in the window.

    Input shape: (batch, time, ...).

    Output shape: as the input.

    Raises:
        ValueError: `size` is below 1.

    Example: `NeighbourMax()` on 1 3 2 gives 3 3 2.
    """

    def __init__(self, causal: bool = False, size: int = 2, **kwargs):
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"`size` must be at least 1. Received: size={size}")
        self.causal = causal
        self.size = size

    @property
    def after(self) -> int:
        """Number of frames in the window after the present one."""
        return 0 if self.causal else self.size // 2

    def call(self, inputs):
        result = inputs
        for neighbour in neighbours(inputs, self.size - 1 - self.after, self.after):
            result = ops.maximum(result, neighbour)
        return result

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "causal": self.causal, "size": self.size}


@keras.saving.register_keras_serializable(package="zoo")
class TrailingMean(keras.layers.Layer):
    """Mean of each frame and the frames before it: average pooling over time at stride 1.

    Args:
        size: Number of frames in the window; frames before the first one count as zero.
        frame_rate: Frames per second of the video. If given, `size` is the number of frames at 30
            frames per second, and the window lasts equally long at every rate; `zoo.predict` and
            `zoo.evaluate` replace the rate by each video's own. None: `size` frames in every video.

    Input shape: (batch, time, ...).

    Output shape: as the input.

    Raises:
        ValueError: `size` is below 1, or `frame_rate` is not positive.

    Example: `TrailingMean(2)` on 2 4 6 gives 1 3 5.
    """

    def __init__(self, size: int, frame_rate: float | None = None, **kwargs):
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"`size` must be at least 1. Received: size={size}")
        self.size = size
        self.frame_rate = frame_rate
        self.frames = frames_at(size, frame_rate)

    def call(self, inputs):
        total = inputs
        for neighbour in neighbours(inputs, self.frames - 1, 0):
            total = total + neighbour
        return total / self.frames

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "size": self.size, "frame_rate": self.frame_rate}


@keras.saving.register_keras_serializable(package="zoo")
class Earlier(keras.layers.Layer):
    """Delays its input by a number of frames; the first outputs are zero.

    Args:
        steps: Number of frames by which the input is delayed.
        frame_rate: As in `TrailingMean`.

    Input shape: (batch, time, ...).

    Output shape: as the input.

    Raises:
        ValueError: `steps` is below 1, or `frame_rate` is not positive.

    Example: `Earlier(1)` on 2 4 6 gives 0 2 4.
    """

    def __init__(self, steps: int = 1, frame_rate: float | None = None, **kwargs):
        super().__init__(**kwargs)
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1. Received: steps={steps}")
        self.steps = steps
        self.frame_rate = frame_rate
        self.frames = frames_at(steps, frame_rate)

    def call(self, inputs):
        return next(neighbours(inputs, self.frames, 0))  # zeros in a video of fewer frames

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "steps": self.steps, "frame_rate": self.frame_rate}


def frames_at(count: int, frame_rate: float | None) -> int:
    """The number of frames that last as long as `count` frames at 30 frames per second.

    Args:
        count: Number of frames at 30 frames per second.
        frame_rate: Frames per second of the video, counted as 240 if above, because the cost of a
            window grows with its frames; None gives `count`.

    Returns:
        The nearest number, at least 1.

    Raises:
        ValueError: `frame_rate` is not positive.

    Example: `frames_at(10, 60)` is 20.
    """
    if frame_rate is None:
        return count
    if not frame_rate > 0:
        raise ValueError(f"`frame_rate` must be positive. Received: frame_rate={frame_rate}")
    return max(1, round(count * min(frame_rate, FASTEST) / USUAL))
