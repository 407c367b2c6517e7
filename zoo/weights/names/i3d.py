"""Tensor names in I3D's files: DeepMind's checkpoints, two PyTorch ports and the Keras port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zoo.weights.layer_names import MIXED, SEPARATOR
from zoo.weights.names.layouts import as_is, convolution, flat
from zoo.weights.names.origin import Origin, Rule

_STEM = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
_HEAD = "Logits/Conv3d_0c_1x1"
# Branch and convolution: the published names, and the names in each port.
_PARTS = (
    # published                    pytorch-i3d  kinetics_i3d_pytorch  Keras
    ("Branch_0/Conv3d_0a_1x1", "b0", "branch_0", "0a_1x1"),
    ("Branch_1/Conv3d_0a_1x1", "b1a", "branch_1.0", "1a_1x1"),
    ("Branch_1/Conv3d_0b_3x3", "b1b", "branch_1.1", "1b_3x3"),
    ("Branch_2/Conv3d_0a_1x1", "b2a", "branch_2.0", "2a_1x1"),
    ("Branch_2/Conv3d_0b_3x3", "b2b", "branch_2.1", "2b_3x3"),
    ("Branch_3/Conv3d_0b_1x1", "b3b", "branch_3.1", "3b_1x1"),
)
_STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _units() -> Iterator[tuple[str, str, str, str]]:
    """The published name of each unit except the head, and its names in the ports."""
    for name in _STEM:
        yield name, name, name.lower(), name
    for block in MIXED:
        for published, first, second, keras in _PARTS:
            if block == "Mixed_5b" and published == "Branch_2/Conv3d_0b_3x3":
                published = "Branch_2/Conv3d_0a_3x3"  # misspelt in the published checkpoints
            yield (
                f"{block}/{published}",
                f"{block}.{first}",
                f"{block.lower()}.{second}",
                f"Conv3d_{block[-2:]}_{keras}",
            )


def _target(published: str, kind: str, variable: str) -> str:
    return SEPARATOR.join((*published.split("/"), kind)) + f"/{variable}"


def _tensorflow(model: Any) -> list[Rule]:
    rules = []
    for name, *_ in _units():
        rules.append(Rule(_target(name, "conv_3d", "kernel"), f"{name}/conv_3d/w"))
        for variable in ("beta", "moving_mean", "moving_variance"):
            source = f"{name}/batch_norm/{variable}"
            rules.append(Rule(_target(name, "batch_norm", variable), source, flat))
    rules.append(Rule(_target(_HEAD, "conv_3d", "kernel"), f"{_HEAD}/conv_3d/w"))
    rules.append(Rule(_target(_HEAD, "conv_3d", "bias"), f"{_HEAD}/conv_3d/b", flat))
    return rules


def _torch(port: int, norm: str, head: str):
    def rules(model: Any) -> list[Rule]:
        result = []
        for names in _units():
            source = names[port]
            kernel = _target(names[0], "conv_3d", "kernel")
            result.append(Rule(kernel, f"{source}.conv3d.weight", convolution))
            for variable, torch_name in _STATISTICS.items():
                target = _target(names[0], "batch_norm", variable)
                result.append(Rule(target, f"{source}.{norm}.{torch_name}", flat))
        kernel = _target(_HEAD, "conv_3d", "kernel")
        result.append(Rule(kernel, f"{head}.conv3d.weight", convolution))
        result.append(Rule(_target(_HEAD, "conv_3d", "bias"), f"{head}.conv3d.bias", flat))
        return result

    return rules


def _keras(model: Any) -> list[Rule]:
    rules = []
    for names in _units():
        rules.append(Rule(_target(names[0], "conv_3d", "kernel"), f"{names[3]}_conv/kernel"))
        for variable in ("beta", "moving_mean", "moving_variance"):
            target = _target(names[0], "batch_norm", variable)
            rules.append(Rule(target, f"{names[3]}_bn/{variable}", as_is))
    for variable in ("kernel", "bias"):
        target = _target(_HEAD, "conv_3d", variable)
        rules.append(Rule(target, f"Conv3d_6a_1x1_conv/{variable}", as_is))
    return rules


def _graph(padding: str, epsilon: float):
    def graph(model: Any) -> str | None:
        names = {layer.name for layer in model.layers}
        static = any(name.endswith(f"{SEPARATOR}pad") for name in names)
        same_time = any(name.endswith(f"{SEPARATOR}pad_time") for name in names)
        held = "static_same_time" if same_time else "static" if static else "same"
        norm = next((layer for layer in model.layers if layer.name.endswith("batch_norm")), None)
        if held == padding and (norm is None or norm.epsilon == epsilon):
            return None
        return f'build the model with padding="{padding}", bn_epsilon={epsilon:g}'

    return graph


def _head_options(stem: str, head: str, channels_axis: int, classes_axis: int):
    def options(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        channels = shapes[stem][channels_axis] if stem in shapes else 3
        result: dict[str, Any] = {"stream": "flow" if channels == 2 else "rgb"}
        if head in shapes:
            return {**result, "endpoint": "Logits", "num_classes": shapes[head][classes_axis]}
        return {**result, "endpoint": "Mixed_5c"}

    return options


_COUNTS = ((r"num_batches_tracked$", "counts batches, no weight"),)
_SAME = {"padding": "same", "bn_epsilon": 1e-3}


def _hassony2(name: str, padding: str, epsilon: float) -> Origin:
    return Origin(
        name=name,
        architecture="i3d",
        rules=_torch(2, "batch3d", "conv3d_0c_1x1"),
        ignored=_COUNTS,
        options={"padding": padding, "bn_epsilon": epsilon, "bn_scale": True},
        graph=_graph(padding, epsilon),
        head=_head_options("conv3d_1a_7x7.conv3d.weight", "conv3d_0c_1x1.conv3d.weight", 1, 0),
    )


I3D_ORIGINS = (
    Origin(
        name="i3d_tensorflow",
        architecture="i3d",
        rules=_tensorflow,
        ignored=(
            (r"/(Momentum|RMSProp|RMSProp_1|Adam|Adam_1|ExponentialMovingAverage)$", "optimizer"),
            (r"(^|/)(global_step|learning_rate)$", "counts steps, no weight"),
        ),
        fill_gamma=True,
        options=_SAME,
        graph=_graph("same", 1e-3),
        head=_head_options("Conv3d_1a_7x7/conv_3d/w", f"{_HEAD}/conv_3d/w", -2, -1),
    ),
    Origin(
        name="i3d_pytorch",
        architecture="i3d",
        rules=_torch(1, "bn", "logits"),
        ignored=_COUNTS,
        options={**_SAME, "bn_scale": True},
        graph=_graph("same", 1e-3),
        head=_head_options("Conv3d_1a_7x7.conv3d.weight", "logits.conv3d.weight", 1, 0),
    ),
    # kinetics_i3d_pytorch: the version since April 2019, and the copy that the authors of LSTS
    # used. Their files cannot be distinguished, so the first one is assumed.
    _hassony2("i3d_pytorch_hassony2", "static_same_time", 1e-3),
    _hassony2("i3d_pytorch_static", "static", 1e-5),
    Origin(
        name="i3d_keras",
        architecture="i3d",
        rules=_keras,
        fill_gamma=True,
        options=_SAME,
        graph=_graph("same", 1e-3),
        head=_head_options("Conv3d_1a_7x7_conv/kernel", "Conv3d_6a_1x1_conv/kernel", -2, -1),
    ),
)
