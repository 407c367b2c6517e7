"""Tensor names in EfficientNet-Lite's files, those of the PyTorch port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.weights.names.layouts import convolution, dense, depthwise, flat
from zoo.weights.names.origin import Origin, Rule

_STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _pytorch(model: Any) -> list[Rule]:
    # A file is recognised by the 16 blocks that all variants have; the deepest ones have 21.
    blocks = 16 if model is None else 21
    units = [("conv_stem", "bn0", convolution)]
    for block in range(blocks):
        if block:  # the first block does not expand
            units.append((f"blocks_{block}_expand_conv", f"blocks_{block}_bn0", convolution))
        units.append((f"blocks_{block}_depthwise_conv", f"blocks_{block}_bn1", depthwise))
        units.append((f"blocks_{block}_project_conv", f"blocks_{block}_bn2", convolution))
    units.append(("conv_head", "bn1", convolution))
    rules = []
    for conv, norm, layout in units:
        rules.append(Rule(f"{conv}/kernel", f"{_published(conv)}.weight", layout))
        for variable, name in _STATISTICS.items():
            rules.append(Rule(f"{norm}/{variable}", f"{_published(norm)}.{name}", flat))
    rules.append(Rule("fc/kernel", "_fc.weight", dense))
    rules.append(Rule("fc/bias", "_fc.bias", flat))
    return rules


def _published(layer: str) -> str:
    """A layer's name in the file: `_blocks.3._bn1` for `blocks_3_bn1`."""
    if not layer.startswith("blocks_"):
        return f"_{layer}"
    _, block, name = layer.split("_", 2)
    return f"_blocks.{block}._{name}"


def _head(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """The variant and the number of classes, inferred from the shapes."""
    found = {}
    last = 1 + max((int(n.split(".")[1]) for n in shapes if n.startswith("_blocks.")), default=-1)
    channels = shapes.get(f"_blocks.{last - 1}._project_conv.weight", (0,))[0]
    variant = {(16, 320): 0, (21, 320): 1, (21, 352): 2}.get((last, channels))
    if variant is not None:
        found["variant"] = variant
    if "_fc.weight" in shapes:
        found["num_classes"] = shapes["_fc.weight"][0]
    return found


EFFICIENTNET_LITE_ORIGINS = (
    Origin(
        name="efficientnet_lite_pytorch",
        architecture="efficientnet_lite",
        rules=_pytorch,
        ignored=((r"num_batches_tracked$", "counts batches, no weight"),),
        options={"batch_norm": True},
        head=_head,
    ),
)
