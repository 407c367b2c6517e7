"""Building a backbone for a weight file, which determines the arguments not given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from zoo.backbones.loading import pretrained


def with_weights(builder: Callable[..., keras.Model], given: Mapping[str, Any]) -> keras.Model:
    """A backbone that matches a weight file, with its weights.

    Args:
        builder: The backbone's builder.
        given: Its arguments; the weight file `weights` determines those that are None.
    """
    options = {key: value for key, value in given.items() if value is not None}
    source, mean_clip = options.pop("weights"), options.pop("mean_clip", None)
    model, _ = pretrained(source, architecture=builder.__name__, mean_clip=mean_clip, **options)
    return model


def open_arguments(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments in `defaults`, with the default if they are None."""
    return tuple(default if given[key] is None else given[key] for key, default in defaults.items())
