from __future__ import annotations

import keras

from zoo.layers.attention.attention_penalties import log_concavity

__all__ = ["LogConcavity", "log_concavity"]


@keras.saving.register_keras_serializable(package="zoo")
class LogConcavity(keras.losses.Loss):
    """Unimodality loss of temporal attention: `log_concavity` of the predicted weights.

    The targets are ignored; pass zeros. The layers with temporal attention add the same loss with
    their argument `unimodality`; use only one of the two.

    Args:
        reduction: Reduction over the batch, as in every Keras loss; a mean by default.
        name: Name of the loss.

    Input shape: `y_pred` (batch, ..., time).

    Example:

    ```python
    model.compile(loss={"action": "sparse_categorical_crossentropy",
                        "temporal_attention": LogConcavity()})
    ```

    Reference: Meng et al., Interpretable spatio-temporal attention, 2019, equation 10.
    """

    def __init__(self, reduction="sum_over_batch_size", name="log_concavity", **kwargs):
        super().__init__(reduction=reduction, name=name, **kwargs)

    def call(self, y_true, y_pred):
        return log_concavity(y_pred)
