from __future__ import annotations

import math

import keras
from keras import ops

from zoo.layers.attention.regularizers import Contrast, TotalVariation
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.replica_losses import ReplicaLosses


@keras.saving.register_keras_serializable(package="zoo")
class SpatialMask(ReplicaLosses, keras.layers.Layer):
    """Weights every place of a feature map by a mask that convolutions read off the map.

    Args:
        filters: Channels of the convolutions before the last, which has one. Each is followed by
            batch normalisation and ReLU, the last by the sigmoid.
        kernel_size: Of all convolutions.
        tv: Weight of the `TotalVariation` of a video's masks, added to the model's loss as a mean
            over the batch.
        contrast: Weight of the `Contrast` of a video's masks, likewise.
        batch_norm: Whether to normalise.
        initial_mask: What the mask is before training where its convolutions give zero, in
            (0, 1). The contrast drives up what lies above 0.5: a mask that starts there may become
            one everywhere and stay so; one that starts lower opens where it helps.

    Call arguments: the features, and optionally `mask`, (batch, time) with zeros at padded
    frames: their attention is zero and no regulariser counts them.

    Input shape: `(batch, time, height, width, channels)` or `(batch, height, width, channels)`.
    Output: the weighted features, of the input's shape, and the mask in [0, 1],
    `(batch, time, height, width)` or `(batch, height, width)`.

    Example:

    ```python
    attended, mask = SpatialMask((1024, 512), tv=1e-5, contrast=1e-4)(features)
    ```

    Reference: Meng et al., Interpretable spatio-temporal attention for video action recognition,
    2019, sections 3.2 and 3.4.
    """

    def __init__(
        self,
        filters=(1024, 512),
        kernel_size=3,
        tv=0.0,
        contrast=0.0,
        batch_norm=True,
        initial_mask=0.5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 0.0 < initial_mask < 1.0:
            raise ValueError(
                f"`initial_mask` must be between 0 and 1. Received: initial_mask={initial_mask}"
            )
        self.filters = tuple(filters)
        self.kernel_size = kernel_size
        self.tv = tv
        self.contrast = contrast
        self.batch_norm = batch_norm
        self.initial_mask = initial_mask
        self.supports_masking = True
        self._stack = []
        for index, count in enumerate(self.filters):
            self._stack.append(
                keras.layers.Conv2D(
                    count,
                    kernel_size,
                    padding="same",
                    data_format="channels_last",
                    kernel_initializer="he_normal",
                    name=f"conv_{index}",
                    dtype=self.dtype_policy,
                )
            )
            if batch_norm:
                self._stack.append(BatchNormalization(name=f"bn_{index}", dtype=self.dtype_policy))
            self._stack.append(keras.layers.ReLU(name=f"relu_{index}", dtype=self.dtype_policy))
        self._stack.append(
            keras.layers.Conv2D(
                1,
                kernel_size,
                padding="same",
                data_format="channels_last",
                bias_initializer=keras.initializers.Constant(
                    math.log(initial_mask / (1.0 - initial_mask))
                ),
                name="mask",
                dtype=self.dtype_policy,
            )
        )

    def build(self, input_shape):
        if len(input_shape) not in (4, 5):
            raise ValueError(
                "`SpatialMask` takes features (batch, height, width, channels) or (batch, time, "
                f"height, width, channels). Received: shape={tuple(input_shape)}"
            )
        shape = (None, *input_shape[-3:])
        for layer in self._stack:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, inputs, mask=None, training=None):
        x = ops.reshape(inputs, (-1, *inputs.shape[-3:]))
        for layer in self._stack:
            is_norm = isinstance(layer, BatchNormalization)
            x = layer(x, training=training) if is_norm else layer(x)
        gate = ops.sigmoid(ops.cast(x, "float32"))
        gate = ops.reshape(gate, ops.shape(inputs)[:-1])
        if mask is not None and len(inputs.shape) == 5:
            gate = gate * ops.cast(mask, "float32")[:, :, None, None]
        if self.tv:
            self.add_loss(TotalVariation(self.tv)(gate))
        if self.contrast:
            self.add_loss(Contrast(self.contrast)(gate))
        return inputs * ops.cast(gate[..., None], inputs.dtype), gate

    def compute_mask(self, inputs, previous_mask=None):
        return [previous_mask, None]

    def compute_output_spec(self, inputs, mask=None, training=None):
        return (
            keras.KerasTensor(inputs.shape, dtype=self.compute_dtype),
            keras.KerasTensor(inputs.shape[:-1], dtype="float32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "filters": list(self.filters),
            "kernel_size": self.kernel_size,
            "tv": self.tv,
            "contrast": self.contrast,
            "batch_norm": self.batch_norm,
            "initial_mask": self.initial_mask,
        }
