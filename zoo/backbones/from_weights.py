"""A backbone built for a weight file: the file chooses what the caller left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from zoo.backbones.loading import pretrained


def with_weights(builder: Callable[..., keras.Model], given: Mapping[str, Any]) -> keras.Model:
    """The backbone in the graph of a weight file, with its weights.

    Args:
        builder: The backbone's builder.
        given: Its arguments; those that are None are the file's. `weights` names the file.
    """
    options = {key: value for key, value in given.items() if value is not None}
    source, mean_clip = options.pop("weights"), options.pop("mean_clip", None)
    model, _ = pretrained(source, architecture=builder.__name__, mean_clip=mean_clip, **options)
    return model


def open_arguments(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[Any, ...]:
    """The arguments of a builder that may be left open, each with its value without weights."""
    return tuple(default if given[key] is None else given[key] for key, default in defaults.items())
