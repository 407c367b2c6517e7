"""The general model as the trunk of networks that are trained on gaze of their own."""

from __future__ import annotations

import os

import keras
from keras import layers

from zoo.backbones.frame_sides import frame_sides
from zoo.layers.saliency.place_log_mass import PlaceLogMass
from zoo.models.general_saliency import general_saliency

STRIDE = 16


def general_features(
    *,
    image_size: int | tuple[int, int] = 112,
    weights: str | os.PathLike | None = None,
) -> keras.Model:
    """Features and density that `general_saliency` has of one frame, at a stride of 16.

    Args:
        image_size: height and width of the frame, or one number for both; multiples of 16.
        weights: of the general model: "general", a file, or None for random ones.

    Input shape: (batch, height, width, 3), raw RGB, 0 to 255.

    Output shape: (batch, height / 16, width / 16, 49): the features, and as the last channel the
    log probability of each place, relative to a uniform density.

    Raises:
        ValueError: `image_size` is no multiple of 16.

    Example: `general_features(image_size=(192, 256), weights="general")`.
    """
    size = frame_sides(image_size)
    if any(side < STRIDE or side % STRIDE for side in size):
        raise ValueError(
            f"`image_size` must be a multiple of {STRIDE} for this backbone. "
            f"Received: image_size={image_size}"
        )
    rules = {"memory": 1, "motion": 0, "centre": 0, "scatter": 0}  # those of videos
    whole = general_saliency(image_size=size, weights=weights, **rules)
    frame = keras.Input((*size, 3), name="rgb")
    x = whole.get_layer("frame_features").layer(frame)
    density = whole.get_layer("log_density")(whole.get_layer("readout").layer(x))
    places = layers.AveragePooling2D(2, name="features")(x)
    mass = PlaceLogMass(4, name="log_mass")(density)
    joined = layers.Concatenate(dtype="float32", name="features_and_mass")([places, mass])
    return keras.Model(frame, joined, name="general_saliency_frame")
