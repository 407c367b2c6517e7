"""Long spatio-temporal saliency: one map from many frames, optical flow, or both."""

from __future__ import annotations

import math

import keras
from keras import layers

from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.i3d import CHANNELS, i3d
from zoo.layers.channels_last import channels_last
from zoo.layers.per_step import PerStep
from zoo.layers.temporal_phases import (
    CropTime,
    MergePhases,
    PadTime,
    SplitPhases,
    TrailingMean,
)
from zoo.models.loading import load_into
from zoo.models.lsts_head import Head, clip_head
from zoo.models.lsts_weights import load_lsts

STREAMS = {"rgb": ("rgb",), "flow": ("flow",), "both": ("rgb", "flow")}
POOLED_STEPS = 5


def pool_size(feature_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The average pooling for features (time, height, width, ...): (6, 3, 3) for (10, 7, 7).

    Five steps remain (or all if there are fewer); positions are pooled 3x3 along sides of 5 or
    more.
    """
    time, *places = feature_shape[:3]
    return max(1, time - POOLED_STEPS + 1), *(3 if n >= 5 else 1 for n in places)


@channels_last
def lsts_features(
    *,
    stream: str = "rgb",
    num_frames: int = 79,
    image_size: int | tuple[int, int] = 224,
    backbone: str | keras.Model = "i3d",
    width: float = 1.0,
    padding: str | None = None,
    bn_epsilon: float | None = None,
    scaling: str = "fixed",
    reverse_channels: bool = False,
    backbone_weights: str | None = None,
    name: str | None = None,
) -> keras.Model:
    """The part of LSTS that is computed once and cached: I3D and the average pooling.

    Args: see `lsts`. `stream` is `"rgb"` or `"flow"`.

    Input shape: `(batch, num_frames, height, width, 3)`, or 2 channels for flow.
    Output shape: `(batch, 5, 5, 5, 1024 * width)` for 79 frames of 224x224.

    Example: `lsts_features(stream="flow").predict(flow)`
    """
    if stream not in CHANNELS:
        raise ValueError(f"`stream` must be 'rgb' or 'flow'. Received: stream={stream!r}")
    if num_frames < 1:
        raise ValueError(f"`num_frames` must be at least 1. Received: num_frames={num_frames}")
    if isinstance(backbone, str):
        if backbone != "i3d":
            raise ValueError(f"`backbone` must be 'i3d' or a model. Received: {backbone!r}")
        backbone = i3d(
            stream=stream,
            num_frames=num_frames,
            image_size=image_size,
            width=width,
            padding=padding,
            bn_epsilon=bn_epsilon,
            scaling=scaling,
            reverse_channels=reverse_channels,
            weights=backbone_weights,
            name=f"i3d_{stream}",
        )
    elif backbone_weights is not None:
        load_into(backbone, backbone_weights)
    height, frame_width = frame_sides(image_size)
    inputs = keras.Input((num_frames, height, frame_width, CHANNELS[stream]), name=stream)
    x = backbone(inputs)
    if len(x.shape) != 5:
        raise ValueError(
            "The backbone's output must be (batch, time, height, width, channels). "
            f"Received: shape={x.shape}"
        )
    x = layers.AveragePooling3D(pool_size(x.shape[1:]), 1, name="pool")(x)
    return keras.Model(inputs, x, name=name or f"{stream}_features")


@channels_last
def lsts(
    *,
    streams: str = "rgb",
    variant: str = "released",
    num_frames: int = 79,
    image_size: int | tuple[int, int] = 224,
    output_size: tuple[int, int] = (360, 640),
    target: str = "last",
    flow: dict | None = None,
    backbone: str | keras.Model | dict[str, keras.Model] | None = "i3d",
    feature_shape: tuple[int, int, int, int] | None = None,
    width: float = 1.0,
    padding: str | None = None,
    bn_epsilon: float | None = None,
    scaling: str = "fixed",
    reverse_channels: bool = False,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    dense: bool = False,
    causal: bool = False,
    trainable_backbone: bool = False,
    backbone_weights: str | dict[str, str] | None = None,
    weights: str | None = None,
    name: str = "lsts",
) -> keras.Model:
    """LSTS: a saliency map from I3D features of a long clip and seven transposed convolutions.

    Args:
        streams: `"rgb"`, `"flow"`, or `"both"`, whose features are concatenated.
        variant: `"released"`, as in the authors' code (ReLU before batch normalisation, also
            after the 3D convolution, and a final 1x1 convolution), or `"printed"`, as in the
            paper (batch normalisation before ReLU; the seventh transposed convolution gives the
            map).
        num_frames: Number of frames in a clip.
        image_size: Side, or (height, width), of the frames.
        output_size: (height, width) of the map. There are only as many transposed convolutions as
            are needed to reach it; a larger map is resized.
        target: The frame that the map belongs to, `"last"` or `"centre"`, see
            `zoo.layers.SaliencyMap`.
        flow: How the flow is computed, recorded in the model for `zoo.predict`, see
            `zoo.layers.SaliencyMap`.
        backbone: `"i3d"`; a model for a single stream, or a dict of stream to model, that maps a
            clip to (batch, time, height, width, channels); or None for cached features, the
            output of `lsts_features` (for both streams, concatenated along the channels).
        feature_shape: Shape of the features with `backbone=None`; by default determined by the
            other arguments: (5, 5, 5, 1024), or 2048 channels for both streams.
        width: Factor of all numbers of channels; below 1 for a smaller model.
        padding: Padding of I3D; `"static"` is that of the authors' PyTorch port, see
            `zoo.backbones.i3d`. None: that of `backbone_weights`, or `"same"`.
        bn_epsilon: Epsilon of I3D's batch normalisation; 1e-5 in the authors' port. None: that of
            `backbone_weights`, or 1e-3.
        scaling: `"fixed"`, or `"min_max"` to scale each clip by its own range, like the authors.
        reverse_channels: Whether I3D's input is BGR, as in the authors' code.
        weight_decay: L2 decay of the head's kernels, as in PyTorch (gradient + decay * w).
        dropout: Fraction of the features' channels that are dropped during training; the paper
            has no dropout.
        dense: Predict a map for every frame of a video of any length in one pass, with the same
            weights; see `zoo.backbones.i3d`. For each frame, features and pooling use steps of 8
            frames into the past, like a clip of `num_frames` that ends with this frame.
        causal: With `dense`, no look-ahead.
        trainable_backbone: Whether I3D is trained too.
        backbone_weights: A weight file for I3D or the name of a record, see `zoo.weights`; or a
            dict of stream to file.
        weights: A weight file for the whole model, or a checkpoint of the authors' decoder.
        name: Name of the model.

    Input shape: `rgb` (batch, num_frames, height, width, 3), 0 to 255, and/or `flow` (..., 2) in
    pixels per frame at that size; or `features`.
    Output shape: `{"saliency": (batch, *output_size)}` in [0, 1]; with `dense`
    `(batch, time, *output_size)` for any number of frames.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other.

    Example:

    ```python
    model = zoo.lsts(streams="both")
    saliency = model({"rgb": rgb, "flow": flow})["saliency"]  # (batch, 360, 640)
    ```

    Reference: Ozturk, "Long spatio-temporal saliency map prediction".
    """
    if streams not in STREAMS:
        raise ValueError(f"`streams` must be one of {tuple(STREAMS)}. Received: {streams!r}")
    if variant not in ("printed", "released"):
        raise ValueError(f"`variant` must be 'printed' or 'released'. Received: {variant!r}")
    names = STREAMS[streams]
    backbone_options = {
        "num_frames": num_frames,
        "image_size": image_size,
        "width": width,
        "padding": padding,
        "bn_epsilon": bn_epsilon,
        "scaling": scaling,
        "reverse_channels": reverse_channels,
    }
    if causal and not dense:
        raise ValueError("`causal` must be used with `dense=True`. Received: dense=False")
    if dense and (backbone != "i3d" or target != "last"):
        raise ValueError(
            'With `dense`, `backbone` must be "i3d" and `target` must be "last". '
            f"Received: backbone={backbone!r}, target={target!r}"
        )
    facts = {"target": target, "flow": flow}
    sides = frame_sides(output_size, name="output_size")
    settings = (variant, sides, facts, width, weight_decay, dropout)
    if backbone is None:
        if backbone_weights is not None:
            raise ValueError(
                "`backbone_weights` must be used with a backbone; `backbone=None` takes features. "
                f"Received: backbone_weights={backbone_weights!r}"
            )
        shape = feature_shape or _default_feature_shape(names, backbone_options)
        inputs = x = keras.Input(shape, name="features")
    elif dense:
        inputs, features = _dense_features(
            names, backbone_options, causal, trainable_backbone, backbone_weights
        )
        x = layers.Concatenate(name="fusion")(features) if len(features) > 1 else features[0]
        saliency = _dense_head(x, inputs[names[0]], num_frames, *settings)
        inputs = inputs if len(names) > 1 else inputs[names[0]]
        model = keras.Model(inputs, {"saliency": saliency}, name=name)
        return _with_weights(model, weights)
    else:
        inputs, features = _clip_features(
            names, backbone, backbone_options, trainable_backbone, backbone_weights
        )
        x = layers.Concatenate(name="fusion")(features) if len(features) > 1 else features[0]
        inputs = inputs if len(names) > 1 else inputs[names[0]]
    head = clip_head(x.shape[1:], *settings)
    model = keras.Model(inputs, {"saliency": head(x)}, name=name)
    return _with_weights(model, weights)


def _with_weights(model, weights):
    if weights is not None:
        load_lsts(model, weights)
    return model


def _clip_features(names, backbone, options, trainable, weights):
    """The inputs by stream, and the pooled features of a clip of each stream."""
    inputs, features = {}, []
    for stream in names:
        extractor = lsts_features(
            stream=stream,
            backbone=_of_stream(backbone, stream, names, "backbone"),
            backbone_weights=_of_stream(weights, stream, names, "backbone_weights"),
            **options,
        )
        extractor.trainable = trainable
        inputs[stream] = keras.Input(extractor.input_shape[1:], name=stream)
        # `training=False` keeps the statistics of a frozen backbone: only trained layers may use
        # statistics of the batch.
        call = {} if trainable else {"training": False}
        features.append(extractor(inputs[stream], **call))
    return inputs, features


def _dense_features(names, options, causal, trainable, weights):
    """The inputs by stream, and the spatially pooled features of all frames of each stream."""
    inputs, features = {}, []
    for stream in names:
        backbone = i3d(
            stream=stream,
            dense=True,
            causal=causal,
            name=f"i3d_{stream}",
            **{**options, "num_frames": None},
        )
        found = _of_stream(weights, stream, names, "backbone_weights")
        if found is not None:
            load_into(backbone, found)
        places = pool_size((POOLED_STEPS, *backbone.output_shape[2:4]))[1:]
        rgb = keras.Input(backbone.input_shape[1:], name=stream)
        x = backbone(rgb)
        x = layers.AveragePooling3D((1, *places), 1, name="pool")(x)
        extractor = keras.Model(rgb, x, name=f"{stream}_features")
        extractor.trainable = trainable
        inputs[stream] = keras.Input(extractor.input_shape[1:], name=stream)
        call = {} if trainable else {"training": False}
        features.append(extractor(inputs[stream], **call))
    return inputs, features


def _dense_head(x, frames, num_frames, *settings):
    """The head of the clip model applied to every frame, in eight interleaved phases."""
    head = Head(*settings)
    steps = math.ceil(num_frames / 8)
    pooled = pool_size((steps, *x.shape[2:4]))[0]
    x = PadTime(8, name="pad_steps")(x)
    for number in (1, 2, 3):
        x = SplitPhases(2, name=f"split_steps_{number}")(x)
    x = TrailingMean(pooled, name="pool_steps")(x)
    steps = steps - pooled + 1
    x = layers.ZeroPadding3D(((steps - 1, 0), (0, 0), (0, 0)), name="convolution_pad")(x)
    for layer in head.first(steps):
        x = layer(x)
    x = MergePhases(8, name="merge_steps")(x)
    x = CropTime(name="crop_steps")([x, frames])
    step = keras.Input(x.shape[2:], name="features")
    return PerStep(keras.Model(step, head.decode(step), name="head"), name="saliency")(x)


def _of_stream(value, stream, names, argument):
    if isinstance(value, dict):
        if stream not in value:
            raise ValueError(
                f"`{argument}` must have an entry for each of {names}. Received: {sorted(value)}"
            )
        return value[stream]
    if len(names) > 1 and value not in (None, "i3d"):
        raise ValueError(
            f"`{argument}` must be a dict of stream to value for two streams. Received: {value!r}"
        )
    return value


def _default_feature_shape(names, options) -> tuple[int, ...]:
    sides, frames = frame_sides(options["image_size"]), options["num_frames"]
    shape = (math.ceil(frames / 8), *(math.ceil(side / 32) for side in sides))
    pooled = tuple(n - p + 1 for n, p in zip(shape, pool_size(shape)))
    with keras.StatelessScope():  # number of I3D's output channels, without creating weights
        channels = i3d(width=options["width"]).output_shape[-1]
    return (*pooled, channels * len(names))
