"""The base class of the saliency metrics as Keras metrics."""

from __future__ import annotations

import keras
from keras import ops


class FrameMetric(keras.metrics.Metric):
    """Weighted mean of a saliency metric over all frames at which the metric is defined.

    `y_true` and `y_pred` are maps (..., height, width), where any leading axes, such as batch and
    time, index frames. Weights have the leading shape or are broadcast to it: (batch,) weights
    apply to all frames of a sample. The result is NaN before the first defined frame, and if a
    prediction is not finite.

    Args:
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.
    """

    _second_map = None  # name of a second map that `y_true` may contain

    def __init__(self, name=None, dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.total = self.add_variable((), initializer="zeros", dtype="float32", name="total")
        self.count = self.add_variable((), initializer="zeros", dtype="float32", name="count")

    def frame_values(self, y_true, y_pred):
        """One value per frame, (frames,), from maps (frames, height, width)."""
        raise TypeError("`FrameMetric` is a base class; use one of the metrics of zoo.metrics.")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(ops.convert_to_tensor(y_true), "float32")
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), "float32")
        leading = ops.shape(y_pred)[:-2]
        y_pred = ops.reshape(y_pred, (-1, *ops.shape(y_pred)[-2:]))
        y_true = ops.reshape(y_true, (-1, *ops.shape(y_true)[len(leading) :]))
        values = self.frame_values(y_true, y_pred)
        # A prediction that is not finite must make the mean NaN, rather than be left out.
        broken = ~ops.all(ops.isfinite(y_pred), axis=(1, 2))
        undefined = ops.isnan(values) & ~broken
        weights = ops.ones_like(values)
        if sample_weight is not None:
            sample_weight = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
            for _ in range(len(leading) - len(sample_weight.shape)):
                sample_weight = ops.expand_dims(sample_weight, -1)
            weights = ops.reshape(ops.broadcast_to(sample_weight, leading), (-1,))
        weights = ops.where(undefined, 0.0, weights)
        # A frame of zero weight must not contribute, even if its value is NaN.
        values = ops.where(weights == 0, 0.0, values)
        self.total.assign_add(ops.sum(values * weights))
        self.count.assign_add(ops.sum(weights))

    def result(self):
        total, count = ops.convert_to_tensor(self.total), ops.convert_to_tensor(self.count)
        mean = total / ops.where(count > 0, count, 1.0)
        return ops.where(count > 0, mean, float("nan"))

    def _split(self, y_true, y_pred, constant):
        """The fixations and the second map: `constant`, or the second channel of `y_true`."""
        if constant is None:
            if len(y_true.shape) != 4 or y_true.shape[-1] != 2:
                raise ValueError(
                    f"`y_true` must have the shape (..., height, width, 2): fixations and "
                    f"{self._second_map}; or pass `{self._second_map}` to the constructor. "
                    f"Received: y_true.shape={tuple(y_true.shape)} as frames"
                )
            return y_true[..., 0], y_true[..., 1]
        constant = ops.cast(ops.convert_to_tensor(constant), "float32")
        return y_true, ops.broadcast_to(constant, ops.shape(y_pred))
