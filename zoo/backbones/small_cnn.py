"""A small network for single frames, for training from scratch on little data."""

from __future__ import annotations

import keras

from zoo.backbones.frame_sides import frame_sides
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.channels_last import channels_last
from zoo.layers.input_normalization import InputNormalization


@channels_last
def small_cnn(
    *,
    image_size: int | tuple[int, int] = 56,
    filters: tuple[int, ...] = (16, 32, 64),
    name: str = "small_cnn",
) -> keras.Model:
    """3x3 convolutions, each followed by batch normalisation, ReLU and pooling by 2.

    Args:
        image_size: Side, or (height, width), of the frames.
        filters: Numbers of channels of the n convolutions.
        name: Name of the model.

    Input shape: (batch, height, width, 3), raw RGB, 0 to 255.
    Output shape: (batch, height / 2^n, width / 2^n, filters[-1]); 7x7x64 by default.

    Raises:
        ValueError: `filters` is empty.

    Example:

    ```python
    model = zoo.soft_attention(backbone=small_cnn(), trainable_backbone=True)
    ```
    """
    if not filters:
        raise ValueError(f"`filters` must have at least one entry. Received: filters={filters}")
    height, width = frame_sides(image_size)
    frame = keras.Input((height, width, 3), name="rgb")
    x = InputNormalization(mean=127.5, scale=127.5, name="preprocessing")(frame)
    for index, count in enumerate(filters):
        x = keras.layers.Conv2D(count, 3, padding="same", use_bias=False, name=f"conv_{index}")(x)
        x = BatchNormalization(momentum=0.9, name=f"bn_{index}")(x)
        x = keras.layers.ReLU(name=f"relu_{index}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool_{index}")(x)
    return keras.Model(frame, x, name=name)
