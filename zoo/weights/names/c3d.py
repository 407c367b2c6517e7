"""Tensor names in C3D's files: Caffe, Keras and three PyTorch ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.weights.names.layouts import as_is, convolution, dense, dense_after_flatten, flat
from zoo.weights.names.origin import Origin, Rule

_CONVOLUTIONS = ("conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
_DENSE = ("fc6", "fc7", "fc8")
_FLATTENED = (512, 1, 4, 4)  # channels, time, height, width after pool5 for 112x112 pixels


def _names(*names: str) -> dict[str, str]:
    return dict(zip(_CONVOLUTIONS + _DENSE, names))


_SHORT = ("conv1", "conv2", *_CONVOLUTIONS[2:])
_CAFFE = _names(*_CONVOLUTIONS, "fc6-1", "fc7-1", "fc8-1")
_KERAS = _names(*_SHORT, *_DENSE)
_FEATURES = _names(
    *(f"features.{index}" for index in (0, 3, 6, 8, 11, 13, 16, 18)),
    *(f"classifier.{index}" for index in (0, 3, 6)),
)
_MMACTION = _names(*(f"{name}.conv" for name in _CONVOLUTIONS), *_DENSE)


def _flattened(model: Any) -> tuple[int, ...]:
    if model is None or not any(layer.name == "flatten" for layer in model.layers):
        return _FLATTENED
    _, time, height, width, channels = model.get_layer("flatten").input.shape
    # A dense model, with one output per frame, flattens each frame separately.
    dense_in_time = len(model.get_layer("flatten").output.shape) == 3
    return channels, 1 if dense_in_time else time, height, width


def _channels_first(names: Mapping[str, str], weight: str, bias: str):
    def rules(model: Any) -> list[Rule]:
        result = []
        for layer, name in names.items():
            layout = convolution if layer.startswith("conv") else dense
            if layer == "fc6":
                layout = dense_after_flatten(*_flattened(model))
            result.append(Rule(f"{layer}/kernel", f"{name}{weight}", layout))
            result.append(Rule(f"{layer}/bias", f"{name}{bias}", flat))
        return result

    return rules


def _channels_last(model: Any) -> list[Rule]:
    return [
        Rule(f"{layer}/{variable}", f"{name}/{variable}", as_is)
        for layer, name in _KERAS.items()
        for variable in ("kernel", "bias")
    ]


def _pool5(padding: str):
    def graph(model: Any) -> str | None:
        pads = [layer for layer in model.layers if layer.name == "pool5_pad"]
        if not pads:
            return None
        (above, _below), _ = pads[0].padding[1:]
        if (above == 0) == (padding == "caffe"):
            return None
        return f'build the model with pool5_padding="{padding}"'

    return graph


def _head(names: Mapping[str, str], weight: str, classes_axis: int):
    def head(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        top = shapes.get(f"{names['fc8']}{weight}")
        if top is not None:
            return {"include_top": True, "num_classes": top[classes_axis]}
        return {"endpoint": "fc7" if f"{names['fc7']}{weight}" in shapes else "conv5b"}

    return head


def _fine_tuned(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The preprocessing of files with the same tensor names, by their number of classes.

    Files with 487 classes are from c3d-pytorch, trained on unchanged RGB. Those with 101 or 51 are
    from pytorch-video-recognition, which subtracts another mean. For other numbers of classes,
    the preprocessing is unknown.
    """
    classes = shapes["fc8.weight"][0] if "fc8.weight" in shapes else 487
    if classes in (101, 51):
        return {"preprocessing": "bgr_ucf101"}
    return {} if classes == 487 else {"preprocessing": None}


def _torch(name: str, names: Mapping[str, str], preprocessing: str, **more: Any) -> Origin:
    return Origin(
        name=name,
        architecture="c3d",
        rules=_channels_first(names, ".weight", ".bias"),
        ignored=(
            (r"num_batches_tracked$", "counts batches, no weight"),
            (r"(^|\.)cls_head\.", "a classifier of mmaction2"),
        ),
        options={"pool5_padding": "symmetric", "preprocessing": preprocessing},
        graph=_pool5("symmetric"),
        head=_head(names, ".weight", -2),
        **more,
    )


C3D_ORIGINS = (
    Origin(
        name="c3d_caffe",
        architecture="c3d",
        rules=_channels_first(_CAFFE, "/0", "/1"),
        options={"pool5_padding": "caffe", "preprocessing": "sports1m"},
        graph=_pool5("caffe"),
        head=_head(_CAFFE, "/0", -2),
    ),
    Origin(
        name="c3d_keras",
        architecture="c3d",
        rules=_channels_last,
        options={"pool5_padding": "caffe", "preprocessing": "sports1m"},
        graph=_pool5("caffe"),
        head=_head(_KERAS, "/kernel", -1),
    ),
    _torch("c3d_pytorch", _KERAS, "none", told=_fine_tuned),
    _torch("c3d_pytorch_features", _FEATURES, "bgr_ucf101"),
    _torch("c3d_mmaction", _MMACTION, "rgb_sports1m"),
)
