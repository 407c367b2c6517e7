from __future__ import annotations

import keras
import numpy as np
from keras import ops


def step_cross_entropy(y_true, y_pred, multi_label: bool = False):
    """Cross-entropy of each step's class probabilities with the video's label, summed over time.

    Args:
        y_true: Class index, (batch,) or (batch, 1); with `multi_label` multi-hot,
            (batch, classes).
        y_pred: Probabilities (batch, time, classes).
        multi_label: Whether to use a binary cross-entropy per class, for videos with several
            labels.

    Returns:
        (batch,) float32. Inside a compiled function, where labels cannot be checked, a label that
        is not a class gives an infinite loss.

    Raises:
        ValueError: The targets have another shape, or a label is not a class.

    Example: `step_cross_entropy(np.array([2]), np.full((1, 30, 4), 0.25))`
    """
    probabilities = ops.cast(y_pred, "float32")
    classes = probabilities.shape[-1]
    shape = tuple(y_true.shape)
    if multi_label:
        if len(shape) != 2 or shape[-1] != classes:
            raise ValueError(
                f"Multi-label targets must be multi-hot, (batch, {classes}). Received: {shape}"
            )
        truth = ops.cast(y_true, "float32")[:, None]
    else:
        if len(shape) > 2 or (len(shape) == 2 and shape[-1] not in (1, None)):
            raise ValueError(
                "Targets must be one class index per video, (batch,); set `multi_label=True` for "
                f"multi-hot targets. Received: shape={shape}"
            )
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        _check_range(labels, classes)
        truth = ops.one_hot(labels, classes)[:, None]
    tiny = 1e-7
    entropy = truth * ops.log(ops.maximum(probabilities, tiny))
    if multi_label:
        entropy = entropy + (1 - truth) * ops.log(ops.maximum(1 - probabilities, tiny))
    loss = -ops.sum(entropy, axis=(1, 2))
    if multi_label:
        return loss
    # Inside a compiled function labels cannot be checked, so a wrong one gives an infinite loss.
    return ops.where((labels >= 0) & (labels < classes), loss, float("inf"))


def _check_range(labels, classes: int) -> None:
    try:
        values = np.asarray(ops.convert_to_numpy(labels))
    except Exception:  # each backend raises a different error for a tensor without values
        return
    outside = values[(values < 0) | (values >= classes)]
    if outside.size:
        raise ValueError(
            f"Labels must be class indices from 0 to {classes - 1}. "
            f"Received: {outside.tolist()[:10]}"
        )


@keras.saving.register_keras_serializable(package="zoo")
class StepCrossEntropy(keras.losses.Loss):
    """Cross-entropy of each step's prediction with the video's label, summed over time.

    Args:
        multi_label: Whether a video may have several labels; the targets are then multi-hot.
        reduction: Reduction over the batch, as in every Keras loss.
        name: Name of the loss.

    Input shape: `y_true` (batch,) or, multi-hot, (batch, classes); `y_pred` (batch, time,
    classes), probabilities.

    Example:

    ```python
    model.compile("adam", loss={"action": StepCrossEntropy()})
    ```

    Reference: Sharma et al., Action recognition using visual attention, 2016, equation 7.
    """

    def __init__(
        self,
        multi_label=False,
        reduction="sum_over_batch_size",
        name="step_cross_entropy",
        **kwargs,
    ):
        super().__init__(reduction=reduction, name=name, **kwargs)
        self.multi_label = multi_label

    def call(self, y_true, y_pred):
        return step_cross_entropy(y_true, y_pred, self.multi_label)

    def get_config(self):
        return {**super().get_config(), "multi_label": self.multi_label}
