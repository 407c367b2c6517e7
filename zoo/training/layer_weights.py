"""Copies weights from one model to another by layer name."""

from __future__ import annotations

import keras

from zoo.models.frame_features import BACKBONES as FRAME_BACKBONES

BACKBONES = ("backbone", "c3d", *FRAME_BACKBONES)


def backbone_of(whole: keras.Model) -> keras.Model:
    """The backbone inside a model; one of single frames as the model of a frame."""
    names = [layer.name for layer in whole.layers]
    layer = next(whole.get_layer(name) for name in BACKBONES if name in names)
    if layer.name in FRAME_BACKBONES:
        layer = layer.get_layer(f"{layer.name}_frames")
    return getattr(layer, "layer", layer)


def copy_layers(
    source: keras.Model, target: keras.Model, beginnings: tuple[str, ...] | None = None
) -> list[str]:
    """Copy weights between layers of the same name.

    Args:
        source: model to copy from.
        target: model to copy to.
        beginnings: prefixes of the names of the layers to copy if both models have them; None
            copies all layers of `source`, and `target` must have all of them.

    Returns:
        The names of the copied layers.

    Raises:
        ValueError: if weights differ in shape, or if layers are missing from `target`.
    """
    own = {layer.name: layer for layer in target.layers}
    copied, missing = [], []
    for layer in source.layers:
        if not layer.weights or (beginnings and not layer.name.startswith(beginnings)):
            continue
        if layer.name not in own:
            missing.append(layer.name)
            continue
        shapes = [tuple(weight.shape) for weight in layer.weights]
        wanted = [tuple(weight.shape) for weight in own[layer.name].weights]
        if shapes != wanted:
            raise ValueError(
                "Both models must have been built with the same options. Received: layer "
                f"{layer.name!r} with weight shapes {shapes[:3]} instead of {wanted[:3]}"
            )
        own[layer.name].set_weights(layer.get_weights())
        copied.append(layer.name)
    if not copied or (missing and beginnings is None):
        raise ValueError(
            "Both models must have layers of the same names. Received: "
            f"{source.name!r} with {missing or [layer.name for layer in source.layers]}, "
            f"which {target.name!r} lacks"
        )
    return copied
