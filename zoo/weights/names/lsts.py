"""Checkpoints of the decoder by the authors of LSTS, recognised by the shapes of tensors.

Their `fcn.py` has a 3D convolution that fuses the steps (`fuse...`), seven transposed convolutions
(`deconv1` to `deconv7`), batch normalisation after each of these eight (`bn1` to `bn7`, and one of
another name after the first), and a final 1x1 convolution (`classifier`). Of the names, only the
numbers at their ends are used; everything else is inferred from the shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from zoo.weights.errors import WeightsError
from zoo.weights.names.layouts import convolution, flat
from zoo.weights.names.origin import Origin, Rule, prefixes

STAGES = 7
_STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def transposed(array: np.ndarray) -> np.ndarray:
    """(in, out, *window) to (*window, out, in)."""
    return np.moveaxis(np.moveaxis(array, 1, -1), 0, -1)


def is_decoder(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a file holds the decoder: one 3D convolution over time only, and eight 2D ones."""
    sizes = [shape for name, shape in shapes.items() if name.endswith(".weight")]
    fused = [shape for shape in sizes if len(shape) == 5]
    planes = [shape for shape in sizes if len(shape) == 4]
    return len(fused) == 1 and fused[0][-2:] == (1, 1) and len(planes) == STAGES + 1


def decoder_origin(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Origin, str]:
    """The rules for a decoder's checkpoint, and the prefix of its names.

    Args:
        shapes: The file's tensors, for which `is_decoder` holds.

    Raises:
        WeightsError: The layers cannot be identified.
    """
    units = [name.removesuffix(".weight") for name in shapes if name.endswith(".weight")]
    prefix = max((p for p in prefixes(shapes) if all(u.startswith(p) for u in units)), key=len)
    units = [unit.removeprefix(prefix) for unit in units]
    rank = {unit: len(shapes[f"{prefix}{unit}.weight"]) for unit in units}
    planes = [unit for unit in units if rank[unit] == 4]
    last = [unit for unit in planes if shapes[f"{prefix}{unit}.weight"][2:] == (1, 1)]
    stages = _numbered([unit for unit in planes if unit not in last])
    norms = [unit for unit in units if rank[unit] == 1]
    numbered = _numbered(norms)
    first = [unit for unit in norms if unit not in numbered.values()]
    wanted = list(range(1, STAGES + 1))
    if sorted(stages) != wanted or sorted(numbered) != wanted or len(last) != 1 or len(first) != 1:
        raise WeightsError(
            f"A decoder of LSTS must have transposed convolutions and batch normalisations "
            f"numbered 1 to {STAGES}, one more batch normalisation and one 1x1 convolution. "
            f"Received: {units}"
        )
    (fused,) = (unit for unit in units if rank[unit] == 5)
    rules = [*_weights("convolution", fused, convolution), *_norm("convolution_norm", first[0])]
    for number in wanted:
        rules += _weights(f"stage_{number}_convolution", stages[number], transposed)
        rules += _norm(f"stage_{number}_norm", numbered[number])
    rules += _weights("map_convolution", last[0], convolution)
    ignored = ((r"num_batches_tracked$", "counts batches, no weight"),)
    return Origin("lsts_pytorch", "lsts", lambda model: rules, ignored=ignored), prefix


def _numbered(units: list[str]) -> dict[int, str]:
    """Number at the end of a name -> the name, for 1 to 7."""
    found = {}
    for unit in units:
        number = re.search(r"(\d+)$", unit)
        if number and 1 <= int(number[1]) <= STAGES:
            found[int(number[1])] = unit
    return found


def _weights(layer: str, unit: str, layout) -> list[Rule]:
    kernel = Rule(f"{layer}/kernel", f"{unit}.weight", layout)
    return [kernel, Rule(f"{layer}/bias", f"{unit}.bias", flat)]


def _norm(layer: str, unit: str) -> list[Rule]:
    return [Rule(f"{layer}/{here}", f"{unit}.{there}", flat) for here, there in _STATISTICS.items()]
