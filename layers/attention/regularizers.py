"""Regularisers of attention masks: summed over a video's masks, averaged over the batch."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class TotalVariation(keras.regularizers.Regularizer):
    """Sum of absolute differences between neighbouring positions of a sample's masks.

    Anisotropic, L1: `sum |m[j+1,k] - m[j,k]| + sum |m[j,k+1] - m[j,k]|`, averaged over the batch.

    Args:
        weight: Factor.
        axes: Height and width axes of the mask; (-3, -2) if a channel axis follows.
        activity: True for use as a layer's `activity_regularizer`, whose result Keras itself
            divides by the batch size.

    Input shape: `(batch, ..., height, width)`, or `(height, width)` for one mask. Returns a scalar.

    Example:

    ```python
    TotalVariation(1e-5)(mask)
    keras.layers.Conv2D(1, 3, activity_regularizer=TotalVariation(axes=(-3, -2), activity=True))
    ```

    Reference: Meng et al., Interpretable spatio-temporal attention, 2019, equation 8.
    """

    def __init__(self, weight=1e-5, axes=(-2, -1), activity=False):
        self.weight = weight
        self.axes = tuple(axes)
        self.activity = activity

    def __call__(self, x):
        mask = ops.cast(x, "float32")
        total = sum(ops.sum(ops.abs(ops.diff(mask, axis=axis))) for axis in self.axes)
        return self.weight * total / _samples(mask, self.activity, -min(self.axes))

    def get_config(self):
        return {"weight": self.weight, "axes": list(self.axes), "activity": self.activity}


@keras.saving.register_keras_serializable(package="zoo")
class Contrast(keras.regularizers.Regularizer):
    """Increases values of a mask above the threshold and decreases the others.

    `sum(-m B / 2 + m (1 - B) / 2)` over a sample, where no gradient flows through the indicator
    `B = [m > threshold]`; averaged over the batch.

    Args:
        weight: Factor.
        threshold: Value above which the mask counts as on.
        activity: True for use as a layer's `activity_regularizer`, see `TotalVariation`.

    Input shape: `(batch, ..., height, width)`, or `(height, width)` for one mask. Returns a scalar.

    Example:

    ```python
    Contrast(1e-4)(mask)
    ```

    Reference: Meng et al., Interpretable spatio-temporal attention, 2019, equation 9.
    """

    def __init__(self, weight=1e-4, threshold=0.5, activity=False):
        self.weight = weight
        self.threshold = threshold
        self.activity = activity

    def __call__(self, x):
        mask = ops.cast(x, "float32")
        indicator = ops.stop_gradient(ops.cast(mask > self.threshold, "float32"))
        total = ops.sum(-0.5 * mask * indicator + 0.5 * mask * (1.0 - indicator))
        return self.weight * total / _samples(mask, self.activity)

    def get_config(self):
        return {"weight": self.weight, "threshold": self.threshold, "activity": self.activity}


def _samples(mask, activity: bool, axes_of_one: int = 2):
    """The divisor of the sum over the whole batch."""
    if activity or len(mask.shape) <= axes_of_one:
        return 1.0
    return ops.maximum(ops.cast(ops.shape(mask)[0], "float32"), 1.0)
