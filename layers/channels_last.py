"""A decorator for builders whose networks are channels-last regardless of Keras's setting."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras


def channels_last(build: Callable) -> Callable:
    """Make a builder create channels-last layers even if Keras's default is "channels_first".

    Videos are (batch, time, height, width, channels) throughout the zoo. Layers keep the data
    format that they were created with, also in saved models.

    Example:

    ```python
    @channels_last
    def network(): ...
    ```
    """

    @functools.wraps(build)
    def built(*args, **kwargs):
        before = keras.config.image_data_format()
        keras.config.set_image_data_format("channels_last")
        try:
            return build(*args, **kwargs)
        finally:
            keras.config.set_image_data_format(before)

    return built
