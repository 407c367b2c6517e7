"""Small versions of every model, with weights as after training."""

from __future__ import annotations

import keras
import numpy as np

import zoo
from zoo.backbones import small_cnn

C3D = {"width": 1 / 32, "units": 4, "num_components": 2, "image_size": 32}
I3D = {"width": 1 / 32, "num_frames": 17, "image_size": 32, "output_size": (18, 32)}
ACTION = {"num_classes": 3, "num_frames": None, "backbone": None, "feature_shape": (5, 5, 6)}
MASK = {"mask_filters": (4,), "filters": 4, "score_units": 4, "steps": 3}

# Name: factory, and the number of frames if the model accepts any.
MODELS = {
    "rmdn": (lambda: zoo.rmdn(**C3D), 18),
    "rmdn_rnn": (lambda: zoo.rmdn(**C3D, cell="rnn", endpoint="fc7"), 18),
    "rmdn_dense": (lambda: zoo.rmdn(**C3D, dense=True, normalization=True), 19),
    "rmdn_causal": (lambda: zoo.rmdn(**C3D, dense=True, causal=True), 19),
    "rmdn_local": (lambda: zoo.rmdn(**C3D, dense=True, endpoint="conv5b", local=True), 19),
    "lsts": (lambda: zoo.lsts(**I3D), None),
    "lsts_both": (lambda: zoo.lsts(**I3D, streams="both", padding="static"), None),
    "soft_attention": (lambda: zoo.soft_attention(**ACTION, units=4), 5),
    "soft_attention_frames": (
        lambda: zoo.soft_attention(
            num_classes=3, num_frames=4, backbone=small_cnn(image_size=32), units=4
        ),
        None,
    ),
    "spatiotemporal_attention": (lambda: zoo.spatiotemporal_attention(**ACTION, **MASK), 4),
    "spatiotemporal_attention_padded": (
        lambda: zoo.spatiotemporal_attention(**{**ACTION, "num_frames": 4}, **MASK, padded=True),
        None,
    ),
}


def make(name: str) -> tuple[keras.Model, int | None]:
    """A model with random statistics and nonzero biases, and its number of frames."""
    keras.utils.set_random_seed(0)
    build, frames = MODELS[name]
    model, random = build(), np.random.default_rng(0)
    for variable in model.weights:
        if variable.path.endswith(("/gamma", "/moving_variance")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("/beta", "/moving_mean")):
            variable.assign(random.normal(0, 0.1, variable.shape))
    return model, frames
