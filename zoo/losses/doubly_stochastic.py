from __future__ import annotations

import keras

from zoo.layers.attention.attention_penalties import doubly_stochastic

__all__ = ["DoublyStochastic", "doubly_stochastic"]


@keras.saving.register_keras_serializable(package="zoo")
class DoublyStochastic(keras.losses.Loss):
    """Penalty for positions that get too little or too much attention over a whole video.

    The targets are ignored; pass zeros. `zoo.layers.AttentionLSTM` adds the same penalty with its
    argument `penalty`; use only one of the two.

    Args:
        reduction: Reduction over the batch, as in every Keras loss; a mean by default.
        name: Name of the loss.

    Input shape: `y_pred` (batch, time, height, width).

    Example:

    ```python
    DoublyStochastic()(zeros, model(video)["spatial_attention"])
    ```

    Reference: Sharma et al., Action recognition using visual attention, 2016, equation 7.
    """

    def __init__(self, reduction="sum_over_batch_size", name="doubly_stochastic", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        return doubly_stochastic(y_pred)
