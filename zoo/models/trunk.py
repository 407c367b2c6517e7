"""The part of a video model before its heads: from frames to one feature per step."""

from __future__ import annotations

from collections.abc import Callable

import keras

from zoo.backbones.c3d import CLIP_LENGTH, c3d
from zoo.layers.per_step import PerStep
from zoo.layers.sliding_clips import SlidingClips
from zoo.models.frame_features import BACKBONES as FRAME_BACKBONES
from zoo.models.loading import load_into


def video_trunk(
    backbone: str | keras.Model | None,
    *,
    num_frames: int | None,
    feature_shape: tuple[int, ...] | None,
    trainable: bool,
    weights: str | None,
    dense: bool,
    **options,
) -> tuple[keras.KerasTensor, keras.KerasTensor, Callable | None]:
    """A model's input, its features, and the trunk itself, which can be applied to other videos.

    `options` are those of `zoo.backbones.c3d`; a backbone of single frames uses only `image_size`
    and always gives one feature per frame. With `backbone=None` the input is features, and the
    trunk is None.
    """
    dense = dense or backbone in FRAME_BACKBONES
    if num_frames is not None and num_frames < CLIP_LENGTH and not dense:
        raise ValueError(
            f"`num_frames` must be None or at least {CLIP_LENGTH}, the length of a clip. "
            f"Received: num_frames={num_frames}"
        )
    if backbone is None:
        if weights is not None:
            raise ValueError(
                "`backbone_weights` must be used with a backbone; `backbone=None` takes features. "
                f"Received: backbone_weights={weights!r}"
            )
        if feature_shape is None:
            feature_shape = _c3d_feature_shape(dense=dense, **options)
        inputs = keras.Input((None, *feature_shape), name="features")
        return inputs, inputs, None
    known = ("c3d", *FRAME_BACKBONES)
    if not isinstance(backbone, keras.Model) and backbone not in known:
        raise ValueError(
            f"`backbone` must be one of {known}, a keras.Model or None. Received: {backbone!r}"
        )
    if isinstance(backbone, str):
        # A record of published weights also determines the variant of the backbone.
        if backbone == "c3d":
            backbone = c3d(dense=dense, weights=weights, **options)
        else:
            backbone = _of_frames(backbone, options["image_size"], weights)
    elif weights is not None:
        load_into(backbone, weights)
    backbone.trainable = trainable
    inputs = keras.Input((num_frames, *backbone.input_shape[2:]), name="rgb")
    if dense:
        return inputs, backbone(inputs), backbone
    clips, per_clip = SlidingClips(CLIP_LENGTH, name="clips"), PerStep(backbone, name="backbone")

    def apply(video):
        return per_clip(clips(video))

    return inputs, apply(inputs), apply


def _of_frames(name: str, image_size, weights) -> keras.Model:
    """A backbone of single frames, applied to all frames of a video."""
    frames = FRAME_BACKBONES[name](image_size=image_size, weights=weights)
    video = keras.Input((None, *frames.input_shape[1:]), name="rgb")
    return keras.Model(video, PerStep(frames, name=f"{name}_frames")(video), name=name)


def as_maps(features):
    """Feature maps (batch, steps, height, width, channels); a clip's time joins the channels."""
    if len(features.shape) == 5:
        return features
    _, _, time, height, width, channels = features.shape
    if time > 1:
        features = keras.layers.Permute((1, 3, 4, 2, 5))(features)
    return keras.layers.Reshape((-1, height, width, time * channels))(features)


def _c3d_feature_shape(**options) -> tuple[int, ...]:
    """Shape of C3D's features, determined without creating weights."""
    with keras.StatelessScope():
        shape = c3d(**options).output_shape
    return tuple(shape[2:] if options["dense"] else shape[1:])
