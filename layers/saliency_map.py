"""The output layer of models that predict saliency maps."""

from __future__ import annotations

import keras
from keras import ops

TARGETS = ("last", "centre")


@keras.saving.register_keras_serializable(package="zoo")
class SaliencyMap(keras.layers.Layer):
    """Converts one channel of logits to a saliency map of a given size, in [0, 1].

    Args:
        height: Number of rows of the map.
        width: Number of columns of the map.
        target: Which frame of its clip the map belongs to: `"last"` (no look-ahead) or
            `"centre"`. It does not change the values; a saved model records with it which frame
            of a video each map belongs to, see `target_frame`.
        flow: How the optical flow of the clips was computed, recorded for `zoo.predict`:
            `{"method": "dis" or "tvl1", "size": (112, 112), "scale_vectors": True}`. None if the
            model uses no flow, or if that is unknown.

    Input shape: `(batch, rows, columns, 1)`; resized bilinearly if the size differs.
    Output shape: `(batch, height, width)`, float32 under every precision policy.

    Raises:
        ValueError: An argument is out of range.

    Example: `SaliencyMap(360, 640)(logits)`

    Reference: Ozturk, "Long spatio-temporal saliency map prediction", section 4.1.
    """

    def __init__(
        self, height: int, width: int, target: str = "last", flow: dict | None = None, **kwargs
    ):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if min(height, width) < 1:
            raise ValueError(
                f"`height` and `width` must be at least 1. Received: height={height}, width={width}"
            )
        if target not in TARGETS:
            raise ValueError(f"`target` must be one of {TARGETS}. Received: target={target!r}")
        self.height = height
        self.width = width
        self.target = target
        self.flow = None if flow is None else dict(flow)

    def target_frame(self, num_frames: int) -> int:
        """The frame, counted from 0, that the map of a clip of `num_frames` belongs to."""
        return num_frames - 1 if self.target == "last" else num_frames // 2

    def call(self, inputs):
        x = inputs
        if tuple(x.shape[1:3]) != (self.height, self.width):
            x = ops.image.resize(
                x, (self.height, self.width), interpolation="bilinear", data_format="channels_last"
            )
        return ops.sigmoid(ops.squeeze(x, -1))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width)

    def get_config(self):
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "target": self.target,
            "flow": self.flow,
        }
