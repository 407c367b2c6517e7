"""ResNet-50 in its two published versions."""

from __future__ import annotations

import os

import keras

from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.from_weights import open_arguments, with_weights
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.channels_last import channels_last
from zoo.layers.input_normalization import InputNormalization

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
ENDPOINTS = ("layer1", "layer2", "layer3", "layer4")
PREPROCESSING = {
    "v1": {"mean": (103.939, 116.779, 123.68), "channel_order": "bgr"},
    # Mean and standard deviation of ImageNet, for pixels from 0 to 255.
    "v1.5": {"mean": (123.675, 116.28, 103.53), "scale": (58.395, 57.12, 57.375)},
}
_KERAS_ENDPOINTS = {
    "layer1": "conv2_block3_out",
    "layer2": "conv3_block4_out",
    "layer3": "conv4_block6_out",
    "layer4": "conv5_block3_out",
}


@channels_last
def resnet50(
    *,
    version: str | None = None,
    image_size: int | tuple[int, int] = 224,
    width: float = 1.0,
    endpoint: str = "layer4",
    num_classes: int | None = None,
    weights: str | os.PathLike | None = None,
    name: str = "resnet50",
) -> keras.Model:
    """ResNet-50: feature map of a single frame; `zoo.layers.PerStep` adds a time axis.

    Args:
        version: `"v1"`: the network of `keras.applications.ResNet50`, which is used internally
            (stride in the first 1x1, biases, BGR minus the mean). `"v1.5"`: the network of
            torchvision's files (stride in the 3x3, no biases, mean and standard deviation of
            ImageNet). A weight file fits only one of the two. None: that of the weights, or
            `"v1"`.
        image_size: Side, or (height, width), of the frames; 224 gives 7x7 features, 256 gives 8x8.
        width: Factor of the numbers of channels; only with `"v1.5"`.
        endpoint: Name of the last stage, one of `ENDPOINTS`.
        num_classes: If given, a classifier is added and the output is a frame's logits.
        weights: A weight file, or the name of a record, see `zoo.weights`; `"imagenet"` is the
            record of `keras.applications`, with its classifier if `num_classes` is given.
        name: Name of the model.

    Input shape: (batch, height, width, 3), raw RGB, 0 to 255.

    Output shape: (batch, 7, 7, 2048), or (batch, num_classes). Layers of `"v1.5"` are named as in
    torchvision's file, with `_` for `.`: `layer1_0_conv1`, `layer1_0_downsample_1`; those of
    `"v1"` as in `keras.applications`.

    Raises:
        ValueError: An argument is out of range.
        WeightsError: The weight file does not fit.

    Example:

    ```python
    features = PerStep(resnet50(weights="imagenet"))(video)  # (batch, time, 7, 7, 2048)
    ```

    Reference: He et al., Deep residual learning for image recognition, 2016.
    """
    given = dict(locals())
    if weights is not None:
        if weights == "imagenet":
            given["weights"] = "resnet50_imagenet_keras" + ("" if num_classes else "_no_top")
        return with_weights(resnet50, given)
    (version,) = open_arguments({"version": "v1"}, given)
    if version not in ("v1", "v1.5"):
        raise ValueError(f"`version` must be 'v1' or 'v1.5'. Received: version={version}")
    if endpoint not in ENDPOINTS:
        raise ValueError(f"`endpoint` must be one of {ENDPOINTS}. Received: endpoint={endpoint}")
    if num_classes is not None and endpoint != "layer4":
        raise ValueError(
            "With `num_classes`, `endpoint` must be 'layer4', because the classifier follows it. "
            f"Received: endpoint={endpoint}"
        )
    if version == "v1" and width != 1.0:
        raise ValueError(f"`width` must be 1 with version 'v1'. Received: width={width}")
    if width <= 0:
        raise ValueError(f"`width` must be above 0. Received: width={width}")
    height, breadth = frame_sides(image_size, any_size=True)
    frame = keras.Input((height, breadth, 3), name="rgb")
    x = InputNormalization(**PREPROCESSING[version], name="preprocessing")(frame)
    if version == "v1":
        network = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
        x = network.get_layer(_KERAS_ENDPOINTS[endpoint]).output
    else:
        x = _version_1_5(x, width, endpoint)
    if num_classes is not None:
        x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
        x = keras.layers.Dense(num_classes, name="fc")(x)
    model = keras.Model(frame, x, name=name)
    return keras.models.clone_model(model, clone_function=_own_layer) if version == "v1" else model


def _own_layer(layer):
    """A copy of a layer, with batch normalisation replaced by the zoo's for several devices."""
    plain = isinstance(layer, keras.layers.BatchNormalization)
    return (BatchNormalization if plain else type(layer)).from_config(layer.get_config())


def _version_1_5(x, width: float, endpoint: str):
    def channels(count: int) -> int:
        return max(1, round(count * width))

    def conv(x, count, size, conv_name, bn_name, strides=1, relu=None):
        if size > 1:
            x = keras.layers.ZeroPadding2D(size // 2, name=f"{conv_name}_pad")(x)
        x = keras.layers.Conv2D(
            channels(count),
            size,
            strides=strides,
            use_bias=False,
            kernel_initializer="he_normal",
            name=conv_name,
        )(x)
        x = BatchNormalization(epsilon=1e-5, momentum=0.9, name=bn_name)(x)
        return keras.layers.ReLU(name=relu)(x) if relu else x

    x = conv(x, 64, 7, "conv1", "bn1", strides=2, relu="relu")
    # All values come from a ReLU, so padding with zeros does not change the maximum.
    x = keras.layers.ZeroPadding2D(1, name="maxpool_pad")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="maxpool")(x)
    for stage, (count, blocks) in enumerate(_STAGES, start=1):
        for index in range(blocks):
            prefix = f"layer{stage}_{index}"
            strides = 2 if stage > 1 and index == 0 else 1
            shortcut = x
            if index == 0:
                shortcut = conv(
                    x, 4 * count, 1, f"{prefix}_downsample_0", f"{prefix}_downsample_1", strides
                )
            x = conv(x, count, 1, f"{prefix}_conv1", f"{prefix}_bn1", relu=f"{prefix}_relu1")
            x = conv(
                x, count, 3, f"{prefix}_conv2", f"{prefix}_bn2", strides, relu=f"{prefix}_relu2"
            )
            x = conv(x, 4 * count, 1, f"{prefix}_conv3", f"{prefix}_bn3")
            x = keras.layers.Add(name=f"{prefix}_add")([x, shortcut])
            # The last ReLU of a stage is its end point.
            last = index == blocks - 1
            x = keras.layers.ReLU(name=f"layer{stage}" if last else f"{prefix}_relu3")(x)
        if endpoint == f"layer{stage}":
            break
    return x
