"""Tensor names in ResNet-50's files: torchvision (version 1.5), keras.applications (version 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.weights.names.layouts import as_is, convolution, dense, flat
from zoo.weights.names.origin import Origin, Rule

_BLOCKS = (3, 4, 6, 3)
_STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _torchvision(model: Any) -> list[Rule]:
    pairs = [("conv1", "bn1")]
    for stage, blocks in enumerate(_BLOCKS, start=1):
        for block in range(blocks):
            unit = f"layer{stage}.{block}"
            pairs += [(f"{unit}.conv{n}", f"{unit}.bn{n}") for n in (1, 2, 3)]
            if block == 0:
                pairs.append((f"{unit}.downsample.0", f"{unit}.downsample.1"))
    rules = []
    for conv, norm in pairs:
        layer = conv.replace(".", "_")
        rules.append(Rule(f"{layer}/kernel", f"{conv}.weight", convolution))
        layer = norm.replace(".", "_")
        rules += [Rule(f"{layer}/{v}", f"{norm}.{name}", flat) for v, name in _STATISTICS.items()]
    rules.append(Rule("fc/kernel", "fc.weight", dense))
    rules.append(Rule("fc/bias", "fc.bias", flat))
    return rules


def _keras(model: Any) -> list[Rule]:
    units = ["conv1"]
    for stage, blocks in enumerate(_BLOCKS, start=2):
        for block in range(1, blocks + 1):
            parts = (0, 1, 2, 3) if block == 1 else (1, 2, 3)
            units += [f"conv{stage}_block{block}_{part}" for part in parts]
    names = []
    for unit in units:
        names += [f"{unit}_conv/{variable}" for variable in ("kernel", "bias")]
        names += [f"{unit}_bn/{variable}" for variable in _STATISTICS]
    rules = [Rule(name, name, as_is) for name in names]
    return rules + [Rule(f"fc/{v}", f"predictions/{v}", as_is) for v in ("kernel", "bias")]


def _head(name: str, axis: int):
    def head(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        return {"num_classes": shapes[name][axis]} if name in shapes else {}

    return head


RESNET50_ORIGINS = (
    Origin(
        name="resnet50_torchvision",
        architecture="resnet50",
        rules=_torchvision,
        ignored=((r"num_batches_tracked$", "counts batches, no weight"),),
        options={"version": "v1.5"},
        head=_head("fc.weight", 0),
    ),
    Origin(
        name="resnet50_keras",
        architecture="resnet50",
        rules=_keras,
        options={"version": "v1"},
        head=_head("predictions/kernel", -1),
    ),
)
