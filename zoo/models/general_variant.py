"""The variant of EfficientNet-Lite in weights of the general model."""

from __future__ import annotations

import os

from zoo.weights.cache import locate
from zoo.weights.provenance import read_provenance
from zoo.weights.reader import read_weights

VARIANT = 2  # in the weights of the package
PARAMETERS = (3_014_679, 3_773_527, 4_409_967)  # of the whole model, for each variant


def variant_of(weights: str | os.PathLike) -> int:
    """The variant that a weight file of `zoo.general_saliency` belongs to.

    A file that the recipe wrote records it, or is older than the choice and has variant 0. For any
    other file, the variant with the nearest number of parameters.

    Args:
        weights: "general", or a file.

    Example: `variant_of("general")`
    """
    path, _ = locate(weights)
    options = (read_provenance(path) or {}).get("options")
    if options is not None:
        return options.get("variant", 0)
    return variant_with(sum(tensor.size for tensor in read_weights(path).tensors.values()))


def variant_with(parameters: int) -> int:
    """The variant whose model has the nearest number of parameters.

    Example: `variant_with(zoo.general_saliency().count_params())` is 2.
    """
    return min(range(len(PARAMETERS)), key=lambda variant: abs(PARAMETERS[variant] - parameters))
