"""The input of the action models: frames and a backbone, or precomputed features."""

from __future__ import annotations

import keras

from zoo.backbones.efficientnet_lite import efficientnet_lite
from zoo.backbones.googlenet import googlenet
from zoo.backbones.resnet50 import resnet50
from zoo.layers.per_step import PerStep
from zoo.models.general_features import general_features
from zoo.models.loading import load_into

BACKBONES = {
    "efficientnet_lite": efficientnet_lite,
    "general_saliency": general_features,
    "googlenet": googlenet,
    "resnet50": resnet50,
}


def frame_features(
    backbone: str | keras.Model | None,
    *,
    num_frames: int | None,
    image_size: int | tuple[int, int],
    feature_shape: tuple[int, int, int],
    trainable: bool,
    weights: str | None,
):
    """A model's input, and its features (batch, time, height, width, channels)."""
    if num_frames is not None and num_frames < 1:
        raise ValueError(f"`num_frames` must be at least 1. Received: num_frames={num_frames}")
    if backbone is None:
        if weights is not None:
            raise ValueError(
                "`backbone_weights` must be used with a backbone; `backbone=None` takes features. "
                f"Received: backbone_weights={weights}"
            )
        if len(feature_shape) != 3:
            raise ValueError(
                "`feature_shape` must be (height, width, channels). "
                f"Received: feature_shape={feature_shape}"
            )
        features = keras.Input((num_frames, *feature_shape), name="features")
        return features, features
    if not isinstance(backbone, keras.Model) and backbone not in tuple(BACKBONES):
        raise ValueError(
            f"`backbone` must be one of {tuple(BACKBONES)}, a keras.Model or None. "
            f"Received: backbone={backbone!r}"
        )
    if isinstance(backbone, str):
        # A record of published weights also determines the variant of the backbone.
        backbone = BACKBONES[backbone](image_size=image_size, weights=weights)
        weights = None
    ranks = len(backbone.input_shape), len(backbone.output_shape)
    if ranks not in ((4, 4), (5, 5)):
        raise ValueError(
            "`backbone` must map a frame (height, width, 3) to a feature map (height, width, "
            "channels), or a video (time, height, width, 3) to such maps (steps, height, width, "
            f"channels). Received: {backbone.input_shape[1:]} to {backbone.output_shape[1:]}"
        )
    if weights is not None:
        load_into(backbone, weights)
    backbone.trainable = trainable
    frame_shape = backbone.input_shape[-3:]
    video = keras.Input((num_frames, *frame_shape), name="rgb")
    if ranks == (5, 5):
        return video, backbone(video)
    return video, PerStep(backbone, name="backbone")(video)


def check_classes(num_classes: int):
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be at least 2. Received: num_classes={num_classes}")
