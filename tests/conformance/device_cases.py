"""Every model with every option that adds a loss: factory, inputs, targets and losses.

Small, and without dropout, whose masks differ between devices.
"""

from __future__ import annotations

import keras
import numpy as np

import zoo
from zoo import losses

MAPS = (4, 5, 5, 6)
CROSS_ENTROPY = "sparse_categorical_crossentropy"
GAZE = {"mixture": losses.MixtureNLL()}
ATTENTION = {"num_classes": 3, "num_frames": 4, "backbone": None, "feature_shape": (5, 5, 6)}
RMDN = {"units": 4, "num_components": 2, "dropout": 0.0}
JOINT = {**ATTENTION, "dense": True, "units": 4, "num_components": 2, "dropout": 0.0}
JOINT |= {"action_dropout": 0.0, "num_frames": None}
MEAN_STATE = {"mask_filters": (4,), "filters": 4, "score_units": 4, "steps": 3}
LSTS = {"backbone": None, "feature_shape": (5, 5, 5, 8), "width": 1 / 64, "output_size": (24, 32)}


def squared_error(y_true, y_pred):
    """A loss given as a function, as users do."""
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=(1, 2))


def _small():
    return zoo.backbones.small_video(image_size=16, filters=(4, 6), stride=1)


# name: (factory of the model, losses for `compile`, further inputs of `fit`)
CASES = {
    "rmdn": (lambda: zoo.rmdn(width=1 / 16, image_size=32, **RMDN), GAZE, {}),
    # Not C3D with its eight normalised layers: on noise they amplify rounding errors so much that
    # merely reordering a batch changes the weights by more than the tolerance.
    "rmdn dense": (lambda: zoo.rmdn(backbone=_small(), dense=True, local=True, **RMDN), GAZE, {}),
    "joint": (
        lambda: zoo.joint(pooling="attention", unimodality=50.0, uncertainty=True, **JOINT),
        {**GAZE, "action": keras.losses.SparseCategoricalCrossentropy()},
        {"weights": True},
    ),
    "joint feedback": (
        lambda: zoo.joint(feedback=True, pooling="attention", unimodality=50.0, **JOINT),
        {**GAZE, "action": CROSS_ENTROPY},
        {"weights": True},
    ),
    "joint function": (
        lambda: zoo.joint(uncertainty=True, central_bias=2, **JOINT),
        {**GAZE, "action": CROSS_ENTROPY},
        {},
    ),
    "lsts": (
        lambda: zoo.lsts(weight_decay=0.1, **LSTS),
        {"saliency": losses.SaliencySum(mse=1.0, kl=1.0, cc=1.0, nss=0.0)},
        {},
    ),
    "lsts printed": (
        lambda: zoo.lsts(variant="printed", weight_decay=0.1, **LSTS),
        {"saliency": squared_error},
        {},
    ),
    "soft_attention": (
        lambda: zoo.soft_attention(
            units=4, num_layers=2, penalty=1.0, dropout=0.0, weight_decay=0.1, **ATTENTION
        ),
        {"action": losses.StepCrossEntropy()},
        {},
    ),
    "soft_attention losses": (
        lambda: zoo.soft_attention(
            units=4, num_layers=1, dropout=0.0, attention="additive", **ATTENTION
        ),
        {
            "action": losses.StepCrossEntropy(reduction="sum"),
            "spatial_attention": losses.DoublyStochastic(),
        },
        {},
    ),
    "spatiotemporal_attention": (
        lambda: zoo.spatiotemporal_attention(
            tv=0.1, contrast=0.1, unimodality=50.0, padded=True, **MEAN_STATE, **ATTENTION
        ),
        {"action": CROSS_ENTROPY, "temporal_attention": losses.LogConcavity()},
        {},
    ),
    "spatiotemporal_attention of frames": (
        lambda: zoo.spatiotemporal_attention(
            tv=0.1,
            contrast=0.1,
            trainable_backbone=True,
            **MEAN_STATE,
            **{**ATTENTION, "backbone": zoo.backbones.small_cnn(image_size=8, filters=(4,))},
        ),
        {"action": CROSS_ENTROPY},
        {},
    ),
    "frame_baseline": (
        lambda: zoo.models.frame_baseline(weight_decay=0.1, average=True, **ATTENTION),
        {"action": CROSS_ENTROPY},
        {},
    ),
}
ONE_OF_EACH = ("joint", "lsts", "rmdn dense", "soft_attention", "spatiotemporal_attention")
OTHERS = tuple(name for name in CASES if name not in ONE_OF_EACH)


def batches(name: str, model: keras.Model, count: int, size: int) -> list[tuple]:
    """`count` batches of `size` samples for a case's model: (inputs, targets[, sample weights])."""
    _, given, options = CASES[name]
    random = np.random.default_rng(0)
    found, shapes = [], None
    for _ in range(count):
        inputs = {}
        for tensor in model.inputs:
            shape = [size, *(extent or 18 for extent in tensor.shape[1:])]
            scale = 255.0 if tensor.name == "rgb" else 1.0
            inputs[tensor.name] = (scale * random.uniform(size=shape)).astype("float32")
        if "present" in inputs:
            inputs["present"] = (inputs["present"] > 0.3).astype("float32")
        x = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        if shapes is None:  # of the outputs, without running the model
            outputs = model.compute_output_spec(keras.tree.map_structure(_specification, x))
            shapes = {key: tuple(outputs[key].shape) for key in given}
        targets = {key: _target(key, shapes[key], random) for key in given}
        batch = (x, targets)
        if options.get("weights"):
            weights = {"mixture": random.uniform(size=size), "action": np.arange(size) % 3}
            batch += ({key: value.astype("float32") for key, value in weights.items()},)
        found.append(batch)
    return found


def _specification(array: np.ndarray) -> keras.KerasTensor:
    return keras.KerasTensor(array.shape, "float32")


def _target(key: str, shape: tuple[int, ...], random) -> np.ndarray:
    """Random truth for an output of this shape."""
    if key == "action":
        return random.integers(0, 3, (shape[0], 1))
    if key == "mixture":
        return random.uniform(size=(*shape[:2], 3, 2)).astype("float32")
    if key == "saliency":
        return random.uniform(size=shape).astype("float32")
    return np.zeros(shape, "float32")  # only losses of the attention
