"""C3D, the 3D convolutional network of Tran et al."""

from __future__ import annotations

import os

import keras

from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.from_weights import open_arguments, with_weights
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.channels_last import channels_last
from zoo.layers.input_normalization import InputNormalization
from zoo.layers.temporal_phases import (
    CropTime,
    MaskPaddedTime,
    MergePhases,
    NeighbourMax,
    PadTime,
    SplitPhases,
)

CLIP_LENGTH = 16
END_POINTS = ("conv5b", "pool5", "fc6", "fc7")
# name, filters at width 1, whether pooling by 2 in time and space follows
CONVOLUTIONS = (
    ("conv1a", 64, False),
    ("conv2a", 128, True),
    ("conv3a", 256, False),
    ("conv3b", 256, True),
    ("conv4a", 512, False),
    ("conv4b", 512, True),
    ("conv5a", 512, False),
    ("conv5b", 512, False),
)
# Sports-1M's mean cube is not always available; "sports1m" uses these channel means instead.
PREPROCESSING = {
    "sports1m": {"mean": (104.0, 117.0, 128.0), "channel_order": "bgr"},
    "sports1m_mean_cube": {"channel_order": "bgr", "mean_shape": (CLIP_LENGTH, 112, 112, 3)},
    "rgb_unit": {"mean": 127.5, "scale": 127.5},
    "none": {},
    # The input of two PyTorch ports.
    "rgb_sports1m": {"mean": (104.0, 117.0, 128.0)},
    "bgr_ucf101": {"mean": (90.0, 98.0, 102.0), "channel_order": "bgr"},
}
# Arguments that a weight file determines if they are None, with their defaults without weights.
DEFAULTS = {"num_classes": 487, "preprocessing": "sports1m", "pool5_padding": "caffe"}


@channels_last
def c3d(
    *,
    image_size: int | tuple[int, int] = 112,
    width: float = 1.0,
    endpoint: str = "pool5",
    include_top: bool = False,
    num_classes: int | None = None,
    dense: bool = False,
    causal: bool = False,
    preprocessing: str | None = None,
    pool5_padding: str | None = None,
    normalization: bool = False,
    weights: str | os.PathLike | None = None,
    mean_clip: str | os.PathLike | None = None,
    name: str = "c3d",
) -> keras.Model:
    """C3D: eight 3x3x3 convolutions, five poolings, two fully connected layers.

    Args:
        image_size: Side, or (height, width), of the frames, at least 16. Weights of fc6 and the
            layers after it fit only the size that they were trained with.
        width: Factor of the numbers of filters and units, for smaller versions.
        endpoint: The layer whose output is returned: "conv5b", "pool5", "fc6" or "fc7".
        include_top: Return class probabilities instead of `endpoint`.
        num_classes: Number of classes; None: that of the weights, or 487.
        dense: False: the input is a clip of 16 frames, the output one feature. True: the input is
            a video of any length, the output one feature per frame. Temporal poolings then run at
            stride 1 and later layers skip frames accordingly, with the same weights. Dense
            features differ from clip features, which see zeros beyond their 16 frames.
        causal: With `dense`, no look-ahead.
        preprocessing: "sports1m" (BGR minus channel means), "sports1m_mean_cube" (BGR minus a
            mean clip, read with the weights), "rgb_unit" (RGB in [-1, 1]), "none", or that of two
            ports: "rgb_sports1m" (RGB minus the same means), "bgr_ucf101". None: what the weights
            were trained with, or "sports1m".
        pool5_padding: "caffe" pads below and to the right, as in the original; "symmetric" pads
            on all sides, as in the PyTorch ports. None: that of the weights, or "caffe".
        normalization: Add batch normalisation after each convolution, for training from scratch.
            The published network has none.
        weights: A weight file, or the name of a record, see `zoo.weights`.
        mean_clip: File of the mean clip for "sports1m_mean_cube", see `zoo.weights`.
        name: Name of the model.

    Input shape: (batch, 16, height, width, 3), or (batch, time, height, width, 3) if `dense`;
    raw RGB, 0 to 255.

    Output shape, at 112x112 and width 1:

    | end point | clip | dense |
    |---|---|---|
    | conv5b | (batch, 2, 7, 7, 512) | (batch, time, 7, 7, 512) |
    | pool5 | (batch, 1, 4, 4, 512) | (batch, time, 4, 4, 512) |
    | fc6, fc7 | (batch, 4096) | (batch, time, 4096) |

    Raises:
        ValueError: An argument is out of range.
        WeightsError: The weight file does not fit.

    Example:

    ```python
    features = zoo.backbones.c3d(endpoint="fc6")(clips)   # (batch, 4096)
    ```

    Reference: Tran et al., Learning Spatiotemporal Features with 3D Convolutional Networks,
    ICCV 2015. 79,991,015 parameters with the 487 classes of Sports-1M, 27,655,936 without the
    fully connected layers.
    """
    given = dict(locals())
    if weights is not None:
        return with_weights(c3d, given)
    num_classes, preprocessing, pool5_padding = open_arguments(DEFAULTS, given)
    height, image_width = frame_sides(image_size)
    _check(endpoint, width, dense, causal, preprocessing, pool5_padding)
    if min(height, image_width) < 16:
        raise ValueError(
            f"`image_size` must be at least 16 pixels per side. Received: image_size={image_size}"
        )
    last = "top" if include_top else endpoint
    rgb = keras.Input((None if dense else CLIP_LENGTH, height, image_width, 3), name="rgb")
    x = InputNormalization(name="input_normalization", **_preprocessing(preprocessing, dense))(rgb)
    net = _Dense(rgb, causal) if dense else _Clip()
    if dense:
        x = net.start(x)
    for conv_name, filters, pooled in CONVOLUTIONS:
        x = net.convolve(x, _scaled(filters, width), conv_name, normalization)
        if conv_name == "conv1a":
            x = keras.layers.MaxPooling3D((1, 2, 2), name="pool1")(x)
        elif pooled:
            x = net.pool(x, f"pool{conv_name[4]}")
    if last != "conv5b":
        x = net.pool5(x, pool5_padding)
    if last in ("fc6", "fc7", "top"):
        x = net.flatten(x)
        x = keras.layers.Dense(_scaled(4096, width), activation="relu", name="fc6")(x)
    if last in ("fc7", "top"):
        x = keras.layers.Dropout(0.5, name="dropout6")(x)
        x = keras.layers.Dense(_scaled(4096, width), activation="relu", name="fc7")(x)
    if last == "top":
        x = keras.layers.Dropout(0.5, name="dropout7")(x)
        x = keras.layers.Dense(num_classes, name="fc8")(x)
        x = keras.layers.Activation("softmax", dtype="float32", name="action")(x)
    if dense:
        x = net.finish(x)
    return keras.Model(rgb, x, name=name)


def _scaled(filters: int, width: float) -> int:
    return max(1, round(filters * width))


def _preprocessing(name: str, dense: bool) -> dict:
    if dense and "mean_shape" in PREPROCESSING[name]:
        raise ValueError(
            "With dense=True, `preprocessing` must not use a mean clip, which has 16 frames; use "
            f'preprocessing="sports1m". Received: preprocessing={name!r}'
        )
    return PREPROCESSING[name]


def _check(endpoint, width, dense, causal, preprocessing, pool5_padding):
    for key, value, known in (
        ("endpoint", endpoint, END_POINTS),
        ("preprocessing", preprocessing, tuple(PREPROCESSING)),
        ("pool5_padding", pool5_padding, ("caffe", "symmetric")),
    ):
        if value not in known:
            raise ValueError(f"`{key}` must be one of {known}. Received: {key}={value!r}")
    if width <= 0:
        raise ValueError(f"`width` must be positive. Received: width={width}")
    if causal and not dense:
        raise ValueError(
            "`causal` must be used with `dense=True`, because a clip of 16 frames is processed as "
            "a whole. Received: causal=True, dense=False"
        )


def _pool5_pad(x, padding: str, time=(0, 0)):
    # 7 -> 4: Caffe rounds the size up, and the last window extends beyond the edge.
    rows, columns = ((n % 2) for n in x.shape[2:4])
    if padding == "caffe":
        widths = (time, (0, rows), (0, columns))
    else:
        widths = (time, (1, 1), (1, 1))  # the ports pad regardless of the size
    if any(sum(w) for w in widths):
        x = keras.layers.ZeroPadding3D(widths, name="pool5_pad")(x)
    return x


def _normalized(x, name: str):
    x = BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.Activation("relu", name=f"{name}_relu")(x)


class _Clip:
    """The published network, in which each pooling halves the time axis."""

    def convolve(self, x, filters, name, normalization):
        activation = None if normalization else "relu"
        x = keras.layers.Conv3D(filters, 3, padding="same", activation=activation, name=name)(x)
        return _normalized(x, name) if normalization else x

    def pool(self, x, name):
        return keras.layers.MaxPooling3D(2, name=name)(x)

    def pool5(self, x, padding):
        return keras.layers.MaxPooling3D(2, name="pool5")(_pool5_pad(x, padding))

    def flatten(self, x):
        return keras.layers.Flatten(name="flatten")(x)


class _Dense:
    """The dense network: the same weights with one output per frame; see `SplitPhases`."""

    def __init__(self, rgb, causal: bool):
        self.rgb = rgb
        self.causal = causal
        self.phases = 1

    def start(self, x):
        return PadTime(8, name="pad_time")(x)

    def convolve(self, x, filters, name, normalization):
        if self.causal:
            x = keras.layers.ZeroPadding3D(((2, 0), (1, 1), (1, 1)), name=f"{name}_pad")(x)
        x = keras.layers.Conv3D(
            filters,
            3,
            padding="valid" if self.causal else "same",
            activation=None if normalization else "relu",
            name=name,
        )(x)
        if normalization:
            x = _normalized(x, name)
        return MaskPaddedTime(self.phases, name=f"{name}_mask")([x, self.rgb])

    def pool(self, x, name):
        x = keras.layers.MaxPooling3D((1, 2, 2), name=name)(x)
        x = NeighbourMax(self.causal, name=f"{name}_time")(x)
        self.phases *= 2
        return SplitPhases(2, name=f"{name}_split")(x)

    def pool5(self, x, padding):
        x = keras.layers.MaxPooling3D((1, 2, 2), name="pool5")(_pool5_pad(x, padding))
        return NeighbourMax(self.causal, name="pool5_time")(x)

    def flatten(self, x):
        steps = int(x.shape[2] * x.shape[3] * x.shape[4])
        return keras.layers.Reshape((-1, steps), name="flatten")(x)

    def finish(self, x):
        x = MergePhases(self.phases, name="merge_phases")(x)
        return CropTime(name="crop_time")([x, self.rgb])
