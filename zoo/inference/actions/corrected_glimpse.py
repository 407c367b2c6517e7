"""Where a soft-attention model should have looked to recognise a video's action."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from zoo.losses.step_cross_entropy import StepCrossEntropy


@dataclasses.dataclass(frozen=True)
class CorrectedGlimpse:
    """The result of `corrected_glimpse`.

    Args:
        attention: Spatial attention (time, height, width) of the original model ("before"), with
            random location weights ("start") and with the optimised ones ("after").
        action: Class probabilities (classes,), also for "before", "start" and "after".
        found: Whether the label is the most likely class after the optimisation.
        steps: Number of optimisation steps taken.
    """

    attention: dict[str, np.ndarray]
    action: dict[str, np.ndarray]
    found: bool
    steps: int


def corrected_glimpse(
    model: keras.Model,
    video: np.ndarray,
    label: int,
    *,
    steps: int = 300,
    learning_rate: float = 0.05,
    seed: int = 0,
) -> CorrectedGlimpse:
    """Optimises only the location weights, for one video, until its action is recognised.

    The location weights are initialised uniformly between the model's lowest and highest location
    weight; all other weights are kept. The model itself is not changed: this works on a copy.

    Args:
        model: A `zoo.soft_attention` model with `attention="location"`.
        video: The model's input for one video, (1, time, ...).
        label: Index of the action to be recognised.
        steps: Maximum number of optimisation steps.
        learning_rate: Learning rate of Adam.
        seed: Random seed for the initial location weights.

    Example:

    ```python
    glimpse = corrected_glimpse(model, video, label=4)
    before = attention_picture(frames, glimpse.attention["before"])
    after = attention_picture(frames, glimpse.attention["after"])
    ```

    Reference: Sharma et al., Action recognition using visual attention, 2016, Figure 9.
    """
    recurrent = next((layer for layer in model.layers if layer.name == "recurrent"), None)
    if getattr(recurrent, "attention", None) != "location":
        raise ValueError(
            "Only `zoo.soft_attention(attention='location')` has location weights. "
            f"Received: {model.name} with attention={getattr(recurrent, 'attention', None)!r}"
        )
    classes = model.output["action"].shape[-1]
    if not 0 <= label < classes:
        raise ValueError(f"`label` must be from 0 to {classes - 1}. Received: label={label}")
    if len(video) != 1:
        raise ValueError(f"`video` must be one video, (1, time, ...). Received: {video.shape}")
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    # Optimise the cross-entropy only, deterministically: no dropout, penalty or batch statistics.
    copy.get_layer("recurrent").penalty = 0.0
    copy.get_layer("recurrent").dropout = 0.0
    for layer in copy.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
        if layer.name == "backbone":
            layer.trainable = False
    kernel = copy.get_layer("recurrent").locate.location_kernel
    attention, action = {}, {}

    def look(name):
        outputs = copy.predict_on_batch(video)
        attention[name] = outputs["spatial_attention"][0]
        action[name] = outputs["action"][0].mean(axis=0)
        return int(action[name].argmax()) == label

    look("before")
    values = keras.ops.convert_to_numpy(kernel)
    start = np.random.default_rng(seed).uniform(values.min(), values.max(), values.shape)
    kernel.assign(start.astype(values.dtype))
    for weight in copy.trainable_variables:
        weight.trainable = weight is kernel
    found = look("start")
    look("after")
    copy.compile(keras.optimizers.Adam(learning_rate), loss={"action": StepCrossEntropy()})
    target = {"action": np.array([label])}
    taken = 0
    while not found and taken < steps:
        copy.train_on_batch(video, target)
        taken += 1
        found = look("after")
    return CorrectedGlimpse(attention, action, found, taken)
