"""Folding batch normalisation into the preceding convolution."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

_LINEAR = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense)


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """A model without batch normalisation that computes the same function at inference.

    Args:
        model: A functional model in which each batch normalisation follows a convolution (or
            dense layer) that has no activation and whose output is not used elsewhere.

    Returns:
        A new model; its layers keep their names, and the convolutions have biases.

    Raises:
        ValueError: The model has no batch normalisation, or one that cannot be folded.

    Example: `fold_batch_norm(resnet50(version="v1.5"))`

    Reference: Jacob et al., Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, 2018, section 3.2.
    """
    norms = [la for la in model.layers if isinstance(la, layers.BatchNormalization)]
    if not norms:
        raise ValueError(f"The model must have batch normalisation. Received: {model.name}")
    before = {_convolution_before(norm).name: norm for norm in norms}

    def rebuild(layer):
        bias = {"use_bias": True} if layer.name in before else {}
        return layer.__class__.from_config({**layer.get_config(), **bias})

    def call(layer, *args, **kwargs):
        return args[0] if isinstance(layer, layers.BatchNormalization) else layer(*args, **kwargs)

    folded = keras.models.clone_model(model, clone_function=rebuild, call_function=call)
    for layer in model.layers:
        if layer.name in before:
            folded.get_layer(layer.name).set_weights(_folded(layer, before[layer.name]))
        elif layer.weights and not isinstance(layer, layers.BatchNormalization):
            folded.get_layer(layer.name).set_weights(layer.get_weights())
    return folded


def _convolution_before(norm: keras.layers.Layer) -> keras.layers.Layer:
    previous = norm.input._keras_history.operation
    if (
        not isinstance(previous, _LINEAR)
        or previous.activation is not keras.activations.linear
        or len(previous._outbound_nodes) != 1
    ):
        raise ValueError(
            "Each batch normalisation must follow a convolution that has no activation and whose "
            f"output is not used elsewhere. Received: {norm.name} after {previous.name}"
        )
    return previous


def _folded(layer: keras.layers.Layer, norm: keras.layers.Layer) -> list[np.ndarray]:
    kernel, *bias = (np.asarray(value, "float64") for value in layer.get_weights())
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(value), "float64")
        for value in (norm.moving_mean, norm.moving_variance)
    )
    factor = 1.0 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        factor = factor * keras.ops.convert_to_numpy(norm.gamma)
    shift = keras.ops.convert_to_numpy(norm.beta) if norm.center else 0.0
    bias = (bias[0] if bias else 0.0) - mean
    # The last axes of a depthwise kernel are (channels, 1); of others, the output channels.
    wide = factor[:, None] if isinstance(layer, layers.DepthwiseConv2D) else factor
    return [kernel * wide, bias * factor + shift]
