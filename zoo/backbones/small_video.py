"""A small network of whole videos that sees motion, for small data."""

from __future__ import annotations

import keras

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
    """3D convolutions of 3x3x3, each with batch normalisation, ReLU and a spatial pooling by 2.

    The second one steps over `stride` frames: an output sees 5 + 2 `stride` frames with the
    default number of convolutions. Where a network of frames only sees what is there, this one
    sees how it moves.

    Args:
        image_size: Height and width of the frames; None for any.
        num_frames: Frames of a video; None for any.
        filters: Channels of the convolutions.
        stride: Frames a feature map.
        name: The model's name.

    Input shape: (batch, time, height, width, 3), raw RGB, 0 to 255.
    Output shape: (batch, ceil(time / stride), height / 2^n, width / 2^n, filters[-1]).

    Example:

    ```python
    model = zoo.soft_attention(backbone=small_video(num_frames=48), num_frames=48)
    ```
    """
    if len(filters) < 2:
        raise ValueError(f"`filters` must name at least two layers. Received: filters={filters}")
    if stride < 1:
        raise ValueError(f"`stride` must be at least 1. Received: stride={stride}")
    height, width = image_size if isinstance(image_size, (tuple, list)) else (image_size,) * 2
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
