"""Builders that make channels-last networks whatever Keras is set to."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras


def channels_last(build: Callable) -> Callable:
    """A builder whose layers keep channels last where Keras's default is "channels_first".

    Videos are (batch, time, height, width, channels) in the whole zoo. Layers keep the data format
    that they were made with, also in a saved model.

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
