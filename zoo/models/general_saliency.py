"""The general saliency model, which predicts where people look in any video."""

from __future__ import annotations

import math
import os
from numbers import Integral

import keras
from keras import layers

from zoo.backbones.efficientnet_lite import efficientnet_lite, stage_endpoints
from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.loading import load_weights
from zoo.layers.channels_last import channels_last
from zoo.layers.depthwise_convolution import DepthwiseConv2D
from zoo.layers.per_step import PerStep
from zoo.layers.resize_like import Enlarge, ResizeLike
from zoo.layers.saliency.centre_bias import CentreBias
from zoo.layers.saliency.density_memory import DensityMemory
from zoo.layers.saliency.frame_brightness import FrameBrightness
from zoo.layers.saliency.gaze_scatter import GazeScatter
from zoo.layers.saliency.log_density import LogDensity
from zoo.layers.saliency.map_mixture import MapMixture
from zoo.layers.saliency.motion_mixture import MotionMixture
from zoo.layers.saliency.past_density import Density, PastDensity
from zoo.layers.saliency.video_centre_bias import VideoCentreBias
from zoo.layers.temporal_phases import Earlier
from zoo.models.general_variant import VARIANT, variant_of

# The stages of the backbone that are used: the last ones at strides of 8, 16 and 32.
STAGES = (2, 4, 6)
CHANGE = 3  # distance over which change is measured, in frames at 30 per second


@channels_last
def general_saliency(
    *,
    num_frames: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    backbone: str | keras.Model = "efficientnet_lite",
    variant: int | None = None,
    width: int = 96,
    dropout: float = 0.2,
    memory: int = 10,
    memory_share: float = 0.5,
    motion: float = 0.5,
    centre: float = 0.5,
    scatter: float = 16.0,
    frame_rate: float | None = 30.0,
    video_side: int | None = None,
    mixture: tuple[int, int] | None = None,
    trainable_backbone: bool = True,
    backbone_weights: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = None,
    name: str = "general_saliency",
) -> keras.Model:
    """General saliency model: a density of gaze for each frame of any video, of any size.

    A backbone computes features of each frame at strides of 8, 16 and 32. A small head combines
    them from coarse to fine into one map of logits per frame, to which a learned centre bias is
    added. Each frame's density is mixed with the mean density of the most recent frames, and with
    where the picture changes; in videos, a density that is spread out is drawn to the centre, and
    that of a small video is drawn further and blurred. There is no look-ahead, and `zoo.predict`
    carries the memory from step to step.

    Args:
        num_frames: Length of the videos, or None for any length.
        image_size: Side, or (height, width), of the frames; None for any size. The weights
            "general" were trained with frames of 320 pixels on the longer side; `zoo.predict`
            scales videos to 320 or, from 1280 pixels on, 384.
        backbone: "efficientnet_lite"; or a model of one frame (height, width, 3) that returns
            feature maps, the finest first at a stride of 8, each with half the rows and columns
            of the previous one.
        variant: Variant of "efficientnet_lite": 0, 1 or 2; None: that of `weights` or
            `backbone_weights`, or 2.
        width: Number of channels of the head.
        dropout: Fraction of the backbone's channels that are dropped during training.
        memory: Number of frames in the mean density, including the present one; 1: no memory.
        memory_share: Weight of the mean density; the present frame has the remaining weight.
        motion: Largest weight of the places that change, see `zoo.layers.MotionMixture`; 0 for no
            motion.
        centre: How strongly a video's spread-out densities are drawn to the centre, see
            `zoo.layers.VideoCentreBias`; 0 for not at all.
        scatter: Scatter of gaze around what people look at, in pixels of the video, by which the
            densities of small videos are blurred, see `zoo.layers.GazeScatter`; 0 for no blur.
        frame_rate: Frames per second of the videos. `memory`, and the distance of 3 frames over
            which change is measured, are numbers of frames at 30 frames per second and last
            equally long at every rate; `zoo.predict` and `zoo.evaluate` replace the rate by each
            video's own. None: the same number of frames for every video.
        video_side: Longer side of the videos in pixels, before they are scaled to `image_size`;
            `zoo.predict` and `zoo.evaluate` replace it by each video's own. None: 1000 or more,
            or pictures, whose densities are neither blurred nor drawn further to the centre.
        mixture: (rows, columns) of a grid for a second output "mixture" with one Gaussian per
            cell, see `zoo.layers.MapMixture`; None for no such output.
        trainable_backbone: False freezes the backbone.
        backbone_weights: Weight file for the backbone, or the name of a record such as
            "efficientnet_lite0_imagenet", see `zoo.weights`. Batch normalisation is folded into
            the convolutions.
        weights: Weights of the whole model: "general" for those that the zoo ships, or a file.
        name: Name of the model.

    Input: `rgb` (batch, time, height, width, 3), raw RGB, 0 to 255.

    Output: {"log_density": (batch, time, rows, columns)}, natural logarithms in float32; `exp` of
    each map sums to 1. rows = 2 ceil(height / 8), a quarter of the frame's height if that is a
    multiple of 8; likewise for columns. With `mixture` also {"mixture": (batch, time, C, 6)}.

    Raises:
        ValueError: An argument is out of range, or the backbone has an unsuitable output.

    Example:

    ```python
    model = zoo.general_saliency(weights="general")
    density = keras.ops.exp(model(video)["log_density"])   # (1, 30, 48, 80) of 30 frames 192x320
    ```

    Reference: our own. The head is a feature pyramid (Lin et al., 2017); the centre bias and the
    density as output follow DeepGaze II (Kümmerer et al., 2016).
    """
    if not 0 <= motion < 1:
        raise ValueError(f"`motion` must be in [0, 1). Received: motion={motion}")
    for label, value in (("centre", centre), ("scatter", scatter)):
        if not 0 <= value < math.inf:
            raise ValueError(f"`{label}` must be 0 or more. Received: {label}={value}")
    if not 0 <= dropout < 1:
        raise ValueError(f"`dropout` must be in [0, 1). Received: dropout={dropout}")
    if not 0 <= memory_share <= 1:
        raise ValueError(f"`memory_share` must be in [0, 1]. Received: memory_share={memory_share}")
    for label, value in (("memory", memory), ("num_frames", num_frames)):
        if value is not None and not (isinstance(value, Integral) and value >= 1):
            raise ValueError(
                f"`{label}` must be at least 1, an integer. Received: {label}={value!r}"
            )
    if width < 2:
        raise ValueError(f"`width` must be at least 2. Received: width={width}")
    if mixture is not None and not (isinstance(mixture, (tuple, list)) and len(mixture) == 2):
        raise ValueError(
            f"`mixture` must be (rows, columns) of a grid. Received: mixture={mixture!r}"
        )
    if isinstance(backbone, str) and weights is not None:
        held = variant_of(weights)
        if variant not in (None, held):
            raise ValueError(
                f"`variant` must be that of the weights. Received: variant={variant} and {weights} "
                f"of variant {held}"
            )
        variant = held
    backbone = _backbone(backbone, variant, backbone_weights)
    backbone.trainable = trainable_backbone
    size = frame_sides(image_size, any_size=True)
    video = keras.Input((num_frames, *size, 3), name="rgb")
    frame = keras.Input((None, None, 3), name="rgb")
    pyramid = _pyramid([output.shape[-1] for output in backbone.outputs], width, dropout)
    features = keras.Model(frame, pyramid(backbone(frame)), name="frame_features")
    x = PerStep(features, name="frame_features")(video)
    x = PerStep(_readout(width // 2), name="readout")(x)
    last = "log_density"
    rules = [memory > 1, motion, centre, scatter]

    def named(rule: int, name: str) -> str:
        """The last rule that applies has the name of the output."""
        return name if any(rules[rule:]) else last

    log_density = LogDensity(name=named(0, "frame_density"))(x)
    if memory > 1:
        past = PastDensity(memory, frame_rate, name="past")(Density(name="density")(log_density))
        remember = DensityMemory(memory_share, name=named(1, "memory"))
        log_density = remember([log_density, past])
    if motion or centre:
        brightness = FrameBrightness(name="brightness")([video, log_density])
        earlier = Earlier(CHANGE, frame_rate, dtype="float32", name="earlier")(brightness)
    if motion:
        move = MotionMixture(motion, name=named(2, "motion"))
        log_density = move([log_density, brightness, earlier])
    if centre:
        bias = VideoCentreBias(centre, video_side=video_side, name=named(3, "centre"))
        log_density = bias([log_density, earlier])
    if scatter:
        log_density = GazeScatter(scatter, video_side, name=last)(log_density)
    outputs = {"log_density": log_density}
    if mixture is not None:
        outputs["mixture"] = MapMixture(*mixture, name="mixture")(log_density)
    model = keras.Model(video, outputs, name=name)
    if weights is not None:
        load_weights(model, weights)
    return model


def _backbone(backbone, variant: int | None, weights) -> keras.Model:
    """A model of one frame that returns its feature maps, the finest first."""
    if isinstance(backbone, str):
        if backbone != "efficientnet_lite":
            raise ValueError(
                '`backbone` must be "efficientnet_lite" or a keras.Model. '
                f"Received: backbone={backbone!r}"
            )
        variant = VARIANT if variant is None and weights is None else variant
        cut = {} if variant is None else {"endpoint": stage_endpoints(variant)[STAGES[-1]]}
        network = efficientnet_lite(variant=variant, batch_norm=False, weights=weights, **cut)
        names = {layer.name for layer in network.layers}
        # Variants 1 and 2 have the same blocks, with other widths.
        ends = next(ends for ends in map(stage_endpoints, (2, 0)) if ends[-1] in names)
        ends = [ends[stage] for stage in STAGES]
        maps = [network.get_layer(end).output for end in ends]
        return keras.Model(network.input, maps, name="backbone")
    if weights is not None:
        load_weights(backbone, weights)
    outputs = backbone.outputs
    if (
        len(backbone.input_shape) != 4
        or len(outputs) < 2
        or any(len(o.shape) != 4 for o in outputs)
    ):
        raise ValueError(
            "`backbone` must map a frame (height, width, 3) to two or more feature maps. "
            f"Received: {backbone.input_shape} to {[tuple(o.shape) for o in outputs]}"
        )
    return backbone


def _pyramid(channels: list[int], width: int, dropout: float) -> keras.Model:
    """Combine maps of several scales, the finest first, to width / 2 channels at the finest."""
    maps = [keras.Input((None, None, count), name=f"map_{i}") for i, count in enumerate(channels)]

    def lateral(index, channels):
        x = maps[index]
        if dropout:
            x = layers.SpatialDropout2D(dropout, name=f"dropout_{index}")(x)
        return _pointwise(x, channels, f"lateral_{index}")

    last = len(maps) - 1
    x = layers.ReLU(name=f"relu_{last}")(lateral(last, width))
    for index in range(last, 0, -1):
        around = _separable(x, width, f"around_{index}")
        x = layers.Add(name=f"sum_{index}")([x, around])
        channels = width if index > 1 else width // 2
        if index == 1:  # reduce channels before resizing: three quarters of the work are here
            x = ResizeLike(name="resize_0")(x, maps[0])
            x = _pointwise(x, channels, "narrow")
        else:
            x = ResizeLike(name=f"resize_{index - 1}")(x, maps[index - 1])
        x = layers.Add(name=f"join_{index - 1}")([x, lateral(index - 1, channels)])
        x = layers.ReLU(name=f"relu_{index - 1}")(x)
    return keras.Model(maps, _separable(x, width // 2, "around_0"), name="pyramid")


def _readout(channels: int) -> keras.Model:
    """Convert features to logits with twice the rows and columns."""
    features = keras.Input((None, None, channels), name="features")
    start = keras.initializers.RandomNormal(stddev=0.01)
    x = layers.Conv2D(1, 1, kernel_initializer=start, dtype="float32", name="logits")(features)
    x = Enlarge(2, dtype="float32", name="finer")(x)
    return keras.Model(features, CentreBias(name="centre_bias")(x), name="readout")


def _pointwise(x, channels: int, name: str):
    return layers.Conv2D(channels, 1, kernel_initializer="he_normal", name=name)(x)


def _separable(x, channels: int, name: str):
    x = DepthwiseConv2D(5, padding="same", name=f"{name}_depthwise")(x)
    return layers.ReLU(name=f"{name}_relu")(_pointwise(x, channels, f"{name}_pointwise"))
