from __future__ import annotations

import math

import keras
from keras import ops

from zoo.layers.attention.regularizers import Contrast, TotalVariation
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.replica_losses import ReplicaLosses


@keras.saving.register_keras_serializable(package="zoo")
class SpatialMask(ReplicaLosses, keras.layers.Layer):
    """Weights each position of a feature map by a mask that convolutions compute from the map.

    Args:
        filters: Number of channels of all convolutions but the last, which has one channel. Each
            is followed by batch normalisation and ReLU, the last one by a sigmoid.
        kernel_size: Kernel size of all convolutions.
        tv: Weight of the masks' `TotalVariation`, added to the model's loss as a mean over the
            batch.
        contrast: Weight of the masks' `Contrast`, added likewise.
        batch_norm: Whether to use batch normalisation.
        initial_mask: Value of the mask before training (where its convolutions give zero), in
            (0, 1). The contrast increases values above 0.5, so a mask that starts there may become
            one everywhere and stay so; a mask that starts lower opens where that helps.

    Call arguments: the features, and optionally `mask`, (batch, time) with zeros at padded
    frames, whose attention is zero and which the regularisers and the batch normalisation's
    statistics ignore.

    Input shape: `(batch, time, height, width, channels)` or `(batch, height, width, channels)`.
    Output: the weighted features, shaped like the input, and the mask in [0, 1],
    `(batch, time, height, width)` or `(batch, height, width)`.

    Raises:
        ValueError: `initial_mask` is not between 0 and 1, or the input has another shape.

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
                # Keras's default momentum of 0.99 averages over a hundred batches, too slow for the
                # statistics to follow the convolutions in a training of some hundred steps.
                self._stack.append(
                    BatchNormalization(momentum=0.9, name=f"bn_{index}", dtype=self.dtype_policy)
                )
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
        for layer in self._stack:
            layer.supports_masking = True  # each keeps the frames in their places

    def build(self, input_shape):
        if len(input_shape) not in (4, 5):
            raise ValueError(
                "The input must have shape (batch, height, width, channels) or (batch, time, "
                f"height, width, channels). Received: shape={tuple(input_shape)}"
            )
        shape = (None, *input_shape[-3:])
        for layer in self._stack:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, inputs, mask=None, training=None):
        x = ops.reshape(inputs, (-1, *inputs.shape[-3:]))
        padded = mask is not None and len(inputs.shape) == 5
        counted = None  # positions in the batch normalisation's statistics
        if padded:
            counted = ops.broadcast_to(ops.reshape(mask, (-1, 1, 1)), ops.shape(x)[:3])
        for layer in self._stack:
            if isinstance(layer, BatchNormalization):
                x = layer(x, training=training, mask=counted)
            else:
                x = layer(x)
        gate = ops.sigmoid(ops.cast(x, "float32"))
        gate = ops.reshape(gate, ops.shape(inputs)[:-1])
        if padded:
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
