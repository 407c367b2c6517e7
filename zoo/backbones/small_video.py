"""A small network for whole videos that sees motion, for little data."""

from __future__ import annotations

import keras

from zoo.backbones.frame_sides import frame_sides
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.channels_last import channels_last
from zoo.layers.input_normalization import InputNormalization


@channels_last
def small_video(
    *,
    image_size: int | tuple[int, int] | None = 56,
    num_frames: int | None = None,
    filters: tuple[int, ...] = (12, 24, 24),
    stride: int = 3,
    name: str = "small_video",
) -> keras.Model:
    """3x3x3 convolutions, each followed by batch normalisation, ReLU and spatial pooling by 2.

    The second convolution has a temporal stride of `stride`, so with the default number of
    convolutions each output sees 5 + 2 `stride` frames. Unlike a network for single frames, it
    sees not only what is in a frame but also how it moves.

    Args:
        image_size: Side, or (height, width), of the frames; None for any.
        num_frames: Number of frames per video; None for any.
        filters: Numbers of channels of the n convolutions, at least two.
        stride: Number of frames per feature map.
        name: Name of the model.

    Input shape: (batch, time, height, width, 3), raw RGB, 0 to 255.
    Output shape: (batch, ceil(time / stride), height / 2^n, width / 2^n, filters[-1]).

    Raises:
        ValueError: `filters` has less than two entries, or `stride` is below 1.

    Example:

    ```python
    model = zoo.soft_attention(backbone=small_video(num_frames=48), num_frames=48)
    ```
    """
    if len(filters) < 2:
        raise ValueError(f"`filters` must have at least two entries. Received: filters={filters}")
    if stride < 1:
        raise ValueError(f"`stride` must be at least 1. Received: stride={stride}")
    height, width = frame_sides(image_size, any_size=True)
    video = keras.Input((num_frames, height, width, 3), name="rgb")
    x = InputNormalization(mean=127.5, scale=127.5, name="preprocessing")(video)
    for index, count in enumerate(filters):
        x = keras.layers.Conv3D(
            count,
            3,
            strides=(stride if index == 1 else 1, 1, 1),
            padding="same",
            use_bias=False,
            name=f"conv_{index}",
        )(x)
        x = BatchNormalization(momentum=0.9, name=f"bn_{index}")(x)
        x = keras.layers.ReLU(name=f"relu_{index}")(x)
        x = keras.layers.MaxPooling3D((1, 2, 2), name=f"pool_{index}")(x)
    return keras.Model(video, x, name=name)
