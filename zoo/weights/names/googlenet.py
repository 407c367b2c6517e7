"""Tensor names in GoogLeNet's files, torchvision's and BVLC's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.weights.layer_names import BLOCKS
from zoo.weights.names.layouts import convolution, dense, flat
from zoo.weights.names.origin import Origin, Rule

_TORCHVISION = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
_BVLC = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
_STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _torchvision(model: Any) -> list[Rule]:
    units = ["conv1", "conv2", "conv3"]
    units += [f"inception{block}.{branch}" for block in BLOCKS for branch in _TORCHVISION]
    rules = []
    for unit in units:
        layer = unit.replace(".", "_")
        rules.append(Rule(f"{layer}_conv/kernel", f"{unit}.conv.weight", convolution))
        for variable, name in _STATISTICS.items():
            rules.append(Rule(f"{layer}_bn/{variable}", f"{unit}.bn.{name}", flat))
    rules.append(Rule("fc/kernel", "fc.weight", dense))
    rules.append(Rule("fc/bias", "fc.bias", flat))
    return rules


def _bvlc(model: Any) -> list[Rule]:
    units = ["conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3"]
    units += [f"inception_{block}/{branch}" for block in BLOCKS for branch in _BVLC]
    rules = []
    for unit in units:
        layer = unit.replace("/", "_")
        rules.append(Rule(f"{layer}/kernel", f"{unit}/0", convolution))
        rules.append(Rule(f"{layer}/bias", f"{unit}/1", flat))
    rules.append(Rule("loss3_classifier/kernel", "loss3/classifier/0", dense))
    rules.append(Rule("loss3_classifier/bias", "loss3/classifier/1", flat))
    return rules


def _head(name: str):
    def head(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        return {"num_classes": shapes[name][-2]} if name in shapes else {}

    return head


GOOGLENET_ORIGINS = (
    Origin(
        name="googlenet_torchvision",
        architecture="googlenet",
        rules=_torchvision,
        ignored=(
            (r"num_batches_tracked$", "counts batches, no weight"),
            (r"(^|\.)aux[12]\.", "a classifier for training only"),
        ),
        options={"batch_norm": True},
        head=_head("fc.weight"),
    ),
    Origin(
        name="googlenet_bvlc",
        architecture="googlenet",
        rules=_bvlc,
        ignored=((r"^loss[12]/", "a classifier for training only"),),
        options={"batch_norm": False},
        head=_head("loss3/classifier/0"),
    ),
)
