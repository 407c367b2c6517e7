"""Loading weights of a whole LSTS, or of only its decoder as saved by the authors."""

from __future__ import annotations

import os

import keras

from zoo.models.loading import load_into
from zoo.weights.cache import locate
from zoo.weights.errors import WeightsError
from zoo.weights.mapping import apply, check, model_variables, plan
from zoo.weights.names.lsts import decoder_origin, is_decoder
from zoo.weights.reader import read_weights


def load_lsts(model: keras.Model, source: str | os.PathLike) -> None:
    """Load the weights of an LSTS from a file.

    Args:
        model: A model built by `zoo.lsts`.
        source: A file of the whole model, in any supported format; or a checkpoint of the
            authors' decoder (PyTorch), which leaves I3D's weights unchanged. That decoder is the
            released variant in its published width.

    Raises:
        WeightsError: The file does not fit the model.
    """
    path, record = locate(source)
    file = read_weights(path) if path.suffix != ".keras" else None
    shapes = {} if file is None else {name: array.shape for name, array in file.tensors.items()}
    if record is not None or not is_decoder(shapes):
        load_into(model, source)
        return
    origin, prefix = decoder_origin(shapes)
    variables = model_variables(model)
    targets = {rule.target for rule in origin.rules(model)}
    if missing := sorted(targets - set(variables)):
        raise WeightsError(
            'For the authors\' decoder, the model must be zoo.lsts(variant="released"). '
            f"Received: {path}, for a model without {missing[:3]}"
        )
    result = plan(origin, prefix, shapes, model, given=tuple(set(variables) - targets))
    check(result, f"{path} (decoder of LSTS) for {model.name}")
    apply(result, file.tensors, model, str(path))
