"""EfficientNet-Lite: small networks for single frames, fast on ordinary processors."""

from __future__ import annotations

import math
import os

import keras

from zoo.backbones.folding import fold_batch_norm
from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.from_weights import open_arguments, with_weights
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.channels_last import channels_last
from zoo.layers.depthwise_convolution import DepthwiseConv2D
from zoo.layers.input_normalization import InputNormalization
from zoo.weights.layer_names import LITE_SCALES, LITE_STAGES

PREPROCESSING = {"mean": 127.0, "scale": 128.0}
BN_EPSILON = 1e-3


@channels_last
def efficientnet_lite(
    *,
    variant: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    batch_norm: bool = True,
    endpoint: str = "head",
    num_classes: int | None = None,
    dropout: float = 0.2,
    weights: str | os.PathLike | None = None,
    name: str = "efficientnet_lite",
) -> keras.Model:
    """EfficientNet-Lite 0 to 2: EfficientNet without squeeze-and-excitation, with ReLU6.

    Args:
        variant: 0, 1 or 2; None: that of the weights, or 0.
        image_size: Side, or (height, width), of the frames; None for any size.
        batch_norm: False gives the same function with each batch normalisation folded into the
            preceding convolution; this is faster, and suits fine-tuning on little data.
        endpoint: Name of the last layer: "stem", "block_0" and so on (see
            `efficientnet_lite_endpoints`), or "head".
        num_classes: If given, a classifier is added and the output is a frame's logits.
        dropout: Dropout rate before the classifier.
        weights: A weight file, or the name of a record, see `zoo.weights`.
        name: Name of the model.

    Input shape: (batch, height, width, 3), raw RGB, 0 to 255.

    Output shape: (batch, ceil(height / 32), ceil(width / 32), 1280), or (batch, num_classes).

    Raises:
        ValueError: An argument is out of range, or this variant has no such end point.
        WeightsError: The weight file does not fit.

    Example:

    ```python
    features = PerStep(efficientnet_lite(weights="efficientnet_lite0_imagenet"))(video)
    ```

    Reference: Tan and Le, EfficientNet: rethinking model scaling for convolutional neural
    networks, 2019; the lite variants are those of its authors' TPU repository, 2020.
    """
    given = dict(locals())
    if weights is not None:
        if batch_norm:
            return with_weights(efficientnet_lite, given)
        return fold_batch_norm(with_weights(efficientnet_lite, {**given, "batch_norm": True}))
    (variant,) = open_arguments({"variant": 0}, given)
    ends = efficientnet_lite_endpoints(variant)
    if endpoint not in ends:
        raise ValueError(f"`endpoint` must be one of {ends}. Received: endpoint={endpoint!r}")
    if num_classes is not None and endpoint != "head":
        raise ValueError(
            "With `num_classes`, `endpoint` must be 'head', because the classifier follows it. "
            f"Received: endpoint={endpoint!r}"
        )
    height, width = frame_sides(image_size, any_size=True)
    frame = keras.Input((height, width, 3), name="rgb")
    x = InputNormalization(**PREPROCESSING, name="preprocessing")(frame)
    x = _network(x, variant, batch_norm, ends.index(endpoint))
    if num_classes is not None:
        x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(num_classes, name="fc")(x)
    return keras.Model(frame, x, name=name)


def efficientnet_lite_endpoints(variant: int = 0) -> tuple[str, ...]:
    """Names of the end points of a variant, from the stem to the head.

    Example: `efficientnet_lite_endpoints(0)[:2]` is `("stem", "block_0")`.
    """
    count = sum(repeats for *_, repeats in _stages(variant))
    return ("stem", *(f"block_{index}" for index in range(count)), "head")


def stage_endpoints(variant: int = 0) -> tuple[str, ...]:
    """Name of the last block of each of the seven stages (strides 2, 4, 8, 16, 16, 32, 32)."""
    ends, count = [], 0
    for *_, repeats in _stages(variant):
        count += repeats
        ends.append(f"block_{count - 1}")
    return tuple(ends)


def _network(x, variant: int, batch_norm: bool, last: int):
    """The network up to end point number `last`."""

    def norm(x, name):
        if not batch_norm:
            return x
        return BatchNormalization(epsilon=BN_EPSILON, momentum=0.99, name=name)(x)

    def pointwise(x, count, name, size=1, strides=1):
        return keras.layers.Conv2D(
            count,
            size,
            strides=strides,
            padding="same",
            use_bias=not batch_norm,
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def relu(x, name):
        return keras.layers.ReLU(max_value=6.0, name=name)(x)

    def block(x, index, kernel, stride, expansion, channels):
        prefix, shortcut = f"blocks_{index}", x
        if expansion > 1:
            x = pointwise(x, x.shape[-1] * expansion, f"{prefix}_expand_conv")
            x = relu(norm(x, f"{prefix}_bn0"), f"{prefix}_relu0")
        x = DepthwiseConv2D(
            kernel,
            strides=stride,
            padding="same",
            use_bias=not batch_norm,
            # Keras's fan-in counts all channels, which would make the initial weights too small.
            depthwise_initializer=keras.initializers.RandomNormal(stddev=math.sqrt(2) / kernel),
            name=f"{prefix}_depthwise_conv",
        )(x)
        x = relu(norm(x, f"{prefix}_bn1"), f"{prefix}_relu1")
        x = norm(pointwise(x, channels, f"{prefix}_project_conv"), f"{prefix}_bn2")
        if stride == 1 and shortcut.shape[-1] == channels:
            return keras.layers.Add(name=f"block_{index}")([x, shortcut])
        return keras.layers.Identity(name=f"block_{index}")(x)

    x = relu(norm(pointwise(x, 32, "conv_stem", 3, 2), "bn0"), "stem")
    index = 0
    for kernel, stride, expansion, channels, repeats in _stages(variant):
        for repeat in range(repeats):
            if index >= last:
                return x
            x = block(x, index, kernel, stride if repeat == 0 else 1, expansion, channels)
            index += 1
    if index >= last:
        return x
    return relu(norm(pointwise(x, 1280, "conv_head"), "bn1"), "head")


def _stages(variant: int) -> list[tuple[int, int, int, int, int]]:
    if variant not in LITE_SCALES:
        raise ValueError(f"`variant` must be 0, 1 or 2. Received: variant={variant!r}")
    wider, deeper = LITE_SCALES[variant]
    stages = []
    for index, (kernel, stride, expansion, channels, repeats) in enumerate(LITE_STAGES):
        # The published networks do not scale the repeats of the first and the last stage.
        if 0 < index < len(LITE_STAGES) - 1:
            repeats = math.ceil(repeats * deeper)
        stages.append((kernel, stride, expansion, _round_channels(channels * wider), repeats))
    return stages


def _round_channels(channels: float) -> int:
    """The nearest multiple of 8 that is at most a tenth below the number."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
