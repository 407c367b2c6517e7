"""GoogLeNet (Inception v1) in its two published versions."""

from __future__ import annotations

import os

import keras

from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.from_weights import open_arguments, with_weights
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.channels_last import channels_last
from zoo.layers.input_normalization import InputNormalization
from zoo.layers.local_response_normalization import LocalResponseNormalization
from zoo.weights.layer_names import BLOCKS

ENDPOINTS = ("conv1", "conv3", *(f"inception{block}" for block in BLOCKS))
PREPROCESSING = {
    True: {"mean": 127.5, "scale": 127.5},
    False: {"mean": (104.0, 117.0, 123.0), "channel_order": "bgr"},
}

# Names of the convolutions in the two published files, with "_" for "." and "/".
_STEM = {
    True: ("conv1", "conv2", "conv3"),
    False: ("conv1_7x7_s2", "conv2_3x3_reduce", "conv2_3x3"),
}
_BRANCHES = {
    True: ("branch1", "branch2_0", "branch2_1", "branch3_0", "branch3_1", "branch4_1"),
    False: ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj"),
}


@channels_last
def googlenet(
    *,
    batch_norm: bool | None = None,
    image_size: int | tuple[int, int] = 224,
    width: float = 1.0,
    endpoint: str = "inception5b",
    num_classes: int | None = None,
    dropout: float = 0.2,
    weights: str | os.PathLike | None = None,
    name: str = "googlenet",
) -> keras.Model:
    """GoogLeNet: nine Inception blocks for single frames; `zoo.layers.PerStep` adds a time axis.

    Args:
        batch_norm: True for the network of the torchvision file: batch normalisation (epsilon
            1e-3), 3x3 instead of 5x5, pixels in [-1, 1]. False for the BVLC Caffe network: biases,
            local response normalisation, true 5x5, BGR minus the mean. None: that of the weights,
            or True.
        image_size: Side, or (height, width), of the frames.
        width: Factor of the numbers of channels.
        endpoint: Name of the last layer, one of `ENDPOINTS`.
        num_classes: If given, a classifier is added and the output is a frame's logits.
        dropout: Dropout rate before the classifier.
        weights: A weight file, or the name of a record, see `zoo.weights`.
        name: Name of the model.

    Input shape: (batch, height, width, 3), raw RGB, 0 to 255.

    Output shape: (batch, 7, 7, 1024), or (batch, num_classes). Layers are named as in the
    published files: `conv1_conv`, `inception3a_branch2_0_bn` (torchvision, `_` for `.`) or
    `conv1_7x7_s2`, `inception_3a_3x3_reduce` (BVLC, `_` for `/`).

    Raises:
        ValueError: An argument is out of range.
        WeightsError: The weight file does not fit.

    Example:

    ```python
    features = PerStep(googlenet())(video)  # (batch, time, 7, 7, 1024)
    ```

    Reference: Szegedy et al., Going deeper with convolutions, 2015.
    """
    given = dict(locals())
    if weights is not None:
        return with_weights(googlenet, given)
    (batch_norm,) = open_arguments({"batch_norm": True}, given)
    if endpoint not in ENDPOINTS:
        raise ValueError(f"`endpoint` must be one of {ENDPOINTS}. Received: endpoint={endpoint}")
    if num_classes is not None and endpoint != "inception5b":
        raise ValueError(
            "With `num_classes`, `endpoint` must be 'inception5b', because the classifier follows "
            f"it. Received: endpoint={endpoint}"
        )
    if width <= 0:
        raise ValueError(f"`width` must be above 0. Received: width={width}")
    height, breadth = frame_sides(image_size, any_size=True)

    frame = keras.Input((height, breadth, 3), name="rgb")
    x = InputNormalization(**PREPROCESSING[batch_norm], name="preprocessing")(frame)
    x = _Layers(batch_norm, width).network(x, endpoint)
    if num_classes is not None:
        x = keras.layers.GlobalAveragePooling2D(name="avgpool")(x)
        x = keras.layers.Dropout(dropout, name="dropout")(x)
        x = keras.layers.Dense(num_classes, name="fc" if batch_norm else "loss3_classifier")(x)
    return keras.Model(frame, x, name=name)


class _Layers:
    """Creates the layers, which share the version and the width.

    Args:
        batch_norm, width: As in `googlenet`.
    """

    def __init__(self, batch_norm: bool, width: float):
        self.batch_norm = batch_norm
        self.width = width

    def network(self, x, endpoint: str):
        """The network from the normalised frame to the end point."""
        stem = _STEM[self.batch_norm]
        x = _end("conv1", self.conv(x, 64, 7, stem[0], strides=2))
        if endpoint == "conv1":
            return x
        x = self.pool(x, 3, "maxpool1")
        if not self.batch_norm:
            x = LocalResponseNormalization(name="pool1_norm1")(x)
        x = self.conv(x, 64, 1, stem[1])
        x = _end("conv3", self.conv(x, 192, 3, stem[2]))
        if endpoint == "conv3":
            return x
        if not self.batch_norm:
            x = LocalResponseNormalization(name="conv2_norm2")(x)
        x = self.pool(x, 3, "maxpool2")
        for label in BLOCKS:
            if label == "4a":
                x = self.pool(x, 3, "maxpool3")
            if label == "5a":
                x = self.pool(x, 2 if self.batch_norm else 3, "maxpool4")
            x = self.block(x, label)
            if endpoint == f"inception{label}":
                break
        return x

    def conv(self, x, count, size, layer, strides=1):
        if strides > 1:  # the published padding is symmetric
            x = keras.layers.ZeroPadding2D(size // 2, name=f"{layer}_pad")(x)
        convolution = keras.layers.Conv2D(
            max(1, round(count * self.width)),
            size,
            strides=strides,
            padding="valid" if strides > 1 else "same",
            use_bias=not self.batch_norm,
            kernel_initializer="he_normal",
            name=f"{layer}_conv" if self.batch_norm else layer,
        )
        x = convolution(x)
        if self.batch_norm:
            x = BatchNormalization(epsilon=1e-3, name=f"{layer}_bn")(x)
        return keras.layers.ReLU(name=f"{layer}_relu")(x)

    def pool(self, x, size, layer):
        # Pooling that rounds the size up, padded below and to the right. All values come from a
        # ReLU, so padding with zeros does not change the maximum.
        overhang = [_overhang(edge, size) for edge in x.shape[1:3]]
        if any(overhang):
            padding = tuple((0, over) for over in overhang)
            x = keras.layers.ZeroPadding2D(padding, name=f"{layer}_pad")(x)
        return keras.layers.MaxPooling2D(size, 2, name=layer)(x)

    def block(self, x, label):
        prefix = f"inception{label}" if self.batch_norm else f"inception_{label}"
        names = [f"{prefix}_{branch}" for branch in _BRANCHES[self.batch_norm]]
        one, three_reduce, three, five_reduce, five, projection = BLOCKS[label]
        pooled = keras.layers.MaxPooling2D(3, 1, padding="same", name=f"{prefix}_pool")(x)
        five_size = 3 if self.batch_norm else 5
        branches = [
            self.conv(x, one, 1, names[0]),
            self.conv(self.conv(x, three_reduce, 1, names[1]), three, 3, names[2]),
            self.conv(self.conv(x, five_reduce, 1, names[3]), five, five_size, names[4]),
            self.conv(pooled, projection, 1, names[5]),
        ]
        return keras.layers.Concatenate(name=f"inception{label}")(branches)


def _end(name: str, x):
    return keras.layers.Identity(name=name)(x)


def _overhang(edge: int, size: int) -> int:
    """Number of pixels by which pooling of stride 2 that rounds up extends beyond the edge."""
    count = -(-(edge - size) // 2) + 1
    if (count - 1) * 2 >= edge:
        count -= 1
    return max(0, (count - 1) * 2 + size - edge)
