"""I3D: Inception v1 inflated to three dimensions, for RGB and for optical flow."""

from __future__ import annotations

import os

import keras
from keras import layers

from zoo.backbones.frame_sides import frame_sides
from zoo.backbones.from_weights import open_arguments, with_weights
from zoo.layers import BatchNormalization, ClipScaling, SameTimePadding
from zoo.layers.channels_last import channels_last
from zoo.layers.temporal_phases import (
    CropTime,
    MaskPaddedTime,
    MergePhases,
    NeighbourMax,
    PadTime,
    SplitPhases,
)
from zoo.weights.layer_names import MIXED, SEPARATOR

# The published end points in order, each with its operation and the arguments of that.
STEPS = {
    "Conv3d_1a_7x7": ("conv", 64, 7, 2),
    "MaxPool3d_2a_3x3": ("pool", (1, 3, 3), (1, 2, 2)),
    "Conv3d_2b_1x1": ("conv", 64, 1, 1),
    "Conv3d_2c_3x3": ("conv", 192, 3, 1),
    "MaxPool3d_3a_3x3": ("pool", (1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ("mixed",),
    "Mixed_3c": ("mixed",),
    "MaxPool3d_4a_3x3": ("pool", (3, 3, 3), (2, 2, 2)),
    "Mixed_4b": ("mixed",),
    "Mixed_4c": ("mixed",),
    "Mixed_4d": ("mixed",),
    "Mixed_4e": ("mixed",),
    "Mixed_4f": ("mixed",),
    "MaxPool3d_5a_2x2": ("pool", (2, 2, 2), (2, 2, 2)),
    "Mixed_5b": ("mixed",),
    "Mixed_5c": ("mixed",),
}
ENDPOINTS = (*STEPS, "Logits")
CHANNELS = {"rgb": 3, "flow": 2}
VALUE_RANGE = {"rgb": (0.0, 255.0), "flow": (-20.0, 20.0)}
# Arguments that a weight file determines if they are None, with their defaults without weights.
DEFAULTS = {
    "stream": "rgb",
    "num_classes": 400,
    "padding": "same",
    "bn_epsilon": 1e-3,
    "bn_scale": False,
}
# "same": TensorFlow's padding along all axes. "static": a fixed number of zeros, independent of
# the length, along all axes. "static_same_time": "static", except for the time axis of the
# convolution with a temporal stride.
PADDINGS = ("same", "static", "static_same_time")
_PUBLISHED_VARIABLES = {"kernel": "w", "bias": "b"}


class _Blocks:
    """Creates the layers, which share padding, normalisation and width."""

    def __init__(self, width, padding, bn_epsilon, bn_scale):
        self.width = width
        self.padding = padding
        self.bn_epsilon = bn_epsilon
        self.bn_scale = bn_scale

    def channels(self, published: int) -> int:
        return max(1, round(published * self.width))

    def pad(self, x, kernel, strides, name, ceil=False):
        # The PyTorch port always pads kernel - stride zeros in total; TensorFlow's SAME depends
        # on the length. They differ if a strided length is odd. `ceil` adds the padding of
        # PyTorch's ceil mode (values are not negative, so zeros do not change the maximum).
        pads = []
        for k, s in zip(kernel, strides):
            total = max(k - s, 0)
            pads.append((total // 2, total - total // 2 + (s - 1 if ceil else 0)))
        if any(sum(pair) for pair in pads):
            x = layers.ZeroPadding3D(tuple(pads), name=f"{name}{SEPARATOR}pad")(x)
        return x

    def as_same(self, *strides) -> bool:
        """Whether the padding equals the layer's own "same", which is faster: without strides."""
        return self.padding == "same" or max(strides) == 1

    def unit(self, x, filters, size, strides, name):
        mode = "same"
        if not self.as_same(strides):
            kernel, step = (size,) * 3, (strides,) * 3
            if self.padding == "static_same_time":
                x = SameTimePadding(size, strides, name=f"{name}{SEPARATOR}pad_time")(x)
                kernel, step = (1, *kernel[1:]), (1, *step[1:])
            x, mode = self.pad(x, kernel, step, name), "valid"
        return self.convolution(x, filters, size, strides, mode, name)

    def convolution(self, x, filters, size, strides, mode, name):
        x = layers.Conv3D(
            self.channels(filters),
            size,
            strides=strides,
            padding=mode,
            use_bias=False,
            name=f"{name}{SEPARATOR}conv_3d",
        )(x)
        x = BatchNormalization(
            epsilon=self.bn_epsilon, scale=self.bn_scale, name=f"{name}{SEPARATOR}batch_norm"
        )(x)
        return layers.ReLU(name=name)(x)

    def pool(self, x, size, strides, name):
        mode = "same"
        if not self.as_same(*strides):
            x, mode = self.pad(x, size, strides, name, ceil=True), "valid"
        return layers.MaxPooling3D(size, strides, padding=mode, name=name)(x)

    def start(self, x):
        return x

    def finish(self, x):
        return x

    def mixed(self, x, name):
        b0, b1a, b1b, b2a, b2b, b3 = MIXED[name]
        # The name of this convolution is misspelt in the published checkpoints.
        last = "Conv3d_0a_3x3" if name == "Mixed_5b" else "Conv3d_0b_3x3"

        def path(*parts):
            return SEPARATOR.join((name, *parts))

        zero = self.unit(x, b0, 1, 1, path("Branch_0", "Conv3d_0a_1x1"))
        one = self.unit(x, b1a, 1, 1, path("Branch_1", "Conv3d_0a_1x1"))
        one = self.unit(one, b1b, 3, 1, path("Branch_1", "Conv3d_0b_3x3"))
        two = self.unit(x, b2a, 1, 1, path("Branch_2", "Conv3d_0a_1x1"))
        two = self.unit(two, b2b, 3, 1, path("Branch_2", last))
        three = self.pool(x, (3, 3, 3), (1, 1, 1), path("Branch_3", "MaxPool3d_0a_3x3"))
        three = self.unit(three, b3, 1, 1, path("Branch_3", "Conv3d_0b_1x1"))
        return layers.Concatenate(name=name)([zero, one, two, three])


class _DenseBlocks(_Blocks):
    """The same weights with one output per frame; see `zoo.layers.SplitPhases`."""

    def __init__(self, inputs, causal, *arguments):
        super().__init__(*arguments)
        self.inputs = inputs
        self.causal = causal
        self.phases = 1

    def start(self, x):
        return PadTime(8, name="pad_time")(x)

    def finish(self, x):
        x = MergePhases(self.phases, name="merge_phases")(x) if self.phases > 1 else x
        return CropTime(name="crop_time")([x, self.inputs])

    def masked(self, x, name):
        # The next layer uses neighbouring frames, and those beyond the end must be zero.
        return MaskPaddedTime(self.phases, name=f"{name}{SEPARATOR}mask")([x, self.inputs])

    def split(self, x, name):
        self.phases *= 2
        return SplitPhases(2, name=f"{name}{SEPARATOR}split")(x)

    def unit(self, x, filters, size, strides, name):
        mode = "same"
        if size > 1:
            x = self.masked(x, name)
            if self.causal or not self.as_same(strides):
                x, mode = self.padded(x, size, strides, name), "valid"
        x = self.convolution(x, filters, size, (1, strides, strides), mode, name)
        return self.split(x, name) if strides == 2 else x

    def padded(self, x, size, strides, name):
        """Padding for a convolution, in time for one output per frame."""
        time = (size - 1, 0) if self.causal else ((size - 1) // 2, size - 1 - (size - 1) // 2)
        totals = [max(size - strides, 0)] * 2
        if self.padding == "same":
            totals = [max((-(-n // strides) - 1) * strides + size - n, 0) for n in x.shape[2:4]]
        pads = [(total // 2, total - total // 2) for total in totals]
        return layers.ZeroPadding3D((time, *pads), name=f"{name}{SEPARATOR}pad")(x)

    def pool(self, x, size, strides, name):
        x = super().pool(x, (1, *size[1:]), (1, *strides[1:]), name)
        if size[0] > 1:
            x = self.masked(x, name)
            x = NeighbourMax(self.causal, size[0], name=f"{name}{SEPARATOR}time")(x)
        return self.split(x, name) if strides[0] == 2 else x


@channels_last
def i3d(
    *,
    stream: str | None = None,
    num_frames: int | None = None,
    image_size: int | tuple[int, int] = 224,
    endpoint: str = "Mixed_5c",
    num_classes: int | None = None,
    dropout: float = 0.0,
    width: float = 1.0,
    padding: str | None = None,
    bn_epsilon: float | None = None,
    bn_scale: bool | None = None,
    scaling: str = "fixed",
    reverse_channels: bool = False,
    weights: str | os.PathLike | None = None,
    dense: bool = False,
    causal: bool = False,
    name: str = "i3d",
) -> keras.Model:
    """I3D up to an end point, for raw RGB frames or for optical flow in pixels.

    If `stream`, `num_classes`, `padding`, `bn_epsilon` or `bn_scale` is None, the weights
    determine it; without weights they are `"rgb"`, 400, `"same"`, 1e-3 and False.

    Args:
        stream: `"rgb"` (values 0 to 255) or `"flow"` (pixels per frame, clipped to +-20).
        num_frames: Number of frames in a clip, or None for any number.
        image_size: Side, or (height, width), of the frames.
        endpoint: The published name of the last end point, `"Conv3d_1a_7x7"` to
            `"Mixed_5c"`, or `"Logits"` for the classifier.
        num_classes: Number of classes of the classifier.
        dropout: Dropout rate before the classifier.
        width: Factor of all numbers of channels; below 1 for a smaller model.
        padding: `"same"` as in TensorFlow; `"static"` pads a fixed number of zeros, independent of
            the length, like kinetics_i3d_pytorch until April 2019 and the copy that LSTS used;
            `"static_same_time"` like it since then: static except for the time axis of the first
            convolution. They differ if a length that is halved is odd.
        bn_epsilon: 1e-3 in the published models, 1e-5 in the copy that LSTS used.
        bn_scale: Whether batch normalisation has a gamma, as in fine-tuned ports.
        scaling: `"fixed"`, or `"min_max"` for each clip's own range, see `ClipScaling`.
        reverse_channels: Whether channels are reversed inside the model, RGB to BGR.
        weights: A weight file, or the name of a record, see `zoo.weights`.
        dense: Give one feature per frame of a video of any length, with the same weights: layers
            with a temporal stride run at every frame, and later layers skip frames accordingly.
            Frames beyond the ends of the video count as zero.
        causal: With `dense`, no look-ahead.
        name: Name of the model.

    Input shape: `(batch, time, height, width, 3)`, or 2 channels for flow.
    Output shape: `(batch, time / 8, height / 32, width / 32, 1024 * width)`, each rounded up,
    for `"Mixed_5c"`; `(batch, num_classes)` for `"Logits"`. With `dense` the number of frames is
    unchanged.

    Layers have the published names with `__` for `/`: `Mixed_3b__Branch_1__Conv3d_0b_3x3__
    conv_3d`; `published_names` gives the names of variables in the published checkpoints.

    Raises:
        ValueError: An argument is out of range, or arguments contradict each other.
        WeightsError: The weight file does not fit.

    Example:

    ```python
    features = i3d(stream="flow")(flow)  # (batch, 10, 7, 7, 1024) of 79 fields of 224x224
    ```

    Reference: Carreira and Zisserman, "Quo vadis, action recognition? A new model and the
    Kinetics dataset", CVPR 2017.
    """
    given = dict(locals())
    if weights is not None:
        return with_weights(i3d, given)
    stream, num_classes, padding, bn_epsilon, bn_scale = open_arguments(DEFAULTS, given)
    if stream not in CHANNELS:
        raise ValueError(f"`stream` must be 'rgb' or 'flow'. Received: stream={stream!r}")
    if endpoint not in ENDPOINTS:
        raise ValueError(f"`endpoint` must be one of {ENDPOINTS}. Received: endpoint={endpoint!r}")
    if padding not in PADDINGS:
        raise ValueError(f"`padding` must be one of {PADDINGS}. Received: padding={padding!r}")
    if not width > 0:
        raise ValueError(f"`width` must be positive. Received: width={width}")
    _check_dense(dense, causal, endpoint, scaling)
    height, frame_width = frame_sides(image_size)
    inputs = keras.Input((num_frames, height, frame_width, CHANNELS[stream]), name=stream)
    low, high = VALUE_RANGE[stream]
    x = ClipScaling(low, high, scaling, reverse_channels, name="scaling")(inputs)
    options = (width, padding, bn_epsilon, bn_scale)
    blocks = _DenseBlocks(inputs, causal, *options) if dense else _Blocks(*options)
    x = blocks.start(x)
    for step, (kind, *arguments) in STEPS.items():
        if kind == "conv":
            x = blocks.unit(x, *arguments, name=step)
        elif kind == "pool":
            x = blocks.pool(x, *arguments, name=step)
        else:
            x = blocks.mixed(x, step)
        if step == endpoint:
            return keras.Model(inputs, blocks.finish(x), name=name)
    frames = min(2, x.shape[1]) if x.shape[1] else 2
    x = layers.AveragePooling3D((frames, *x.shape[2:4]), 1, name="Logits__AvgPool3d_0a_7x7")(x)
    x = layers.Dropout(dropout, name="Logits__Dropout_0b")(x)
    x = layers.Conv3D(num_classes, 1, name="Logits__Conv3d_0c_1x1__conv_3d")(x)
    x = layers.GlobalAveragePooling3D(name="Logits")(x)
    return keras.Model(inputs, x, name=name)


def _check_dense(dense, causal, endpoint, scaling):
    if causal and not dense:
        raise ValueError(
            "`causal` must be used with `dense=True`, because a clip is processed as a whole. "
            "Received: causal=True, dense=False"
        )
    if dense and endpoint == "Logits":
        raise ValueError(
            "With `dense`, `endpoint` must not be the classifier, which averages over a clip. "
            'Received: dense=True, endpoint="Logits"'
        )
    if dense and scaling != "fixed":
        raise ValueError(
            "With `dense`, `scaling` must be 'fixed', because there are no clips with a range of "
            f"their own. Received: dense=True, scaling={scaling!r}"
        )


def published_names(model: keras.Model) -> dict[str, keras.Variable]:
    """The variables of an I3D by their names in the published checkpoints.

    The names have no prefix (`RGB/inception_i3d/`, `Flow/inception_i3d/` or none in the
    checkpoints): `Mixed_3b/Branch_1/Conv3d_0b_3x3/conv_3d/w`, `.../batch_norm/moving_mean`.

    Example: `published_names(i3d())["Conv3d_1a_7x7/conv_3d/w"].shape` is `(7, 7, 7, 3, 64)`.
    """
    names = {}
    for layer in model.layers:
        for variable in layer.weights:
            if layer.name.rsplit(SEPARATOR, 1)[-1] in ("conv_3d", "batch_norm"):
                last = _PUBLISHED_VARIABLES.get(variable.name, variable.name)
                names["/".join((*layer.name.split(SEPARATOR), last))] = variable
    return names
