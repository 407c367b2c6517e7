"""The class of the models that `zoo.joint` builds."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.replicas import replica_count
from zoo.layers.task_uncertainty import TaskUncertainty


@keras.saving.register_keras_serializable(package="zoo")
class JointModel(keras.Model):
    """A functional model whose losses are weighted by its `TaskUncertainty` layer, if it has one.

    Without such a layer it is an ordinary `keras.Model`. With one, the losses given to `compile`
    as a dict (output -> loss) are combined by the layer. Of `loss_weights`, only a weight of 0 has
    an effect: the task is not trained.

    Example: `zoo.joint(uncertainty=True)` builds one.
    """

    @property
    def uncertainty(self) -> TaskUncertainty | None:
        """The layer with the learned weights, or None."""
        found = [layer for layer in self.layers if isinstance(layer, TaskUncertainty)]
        return found[0] if found else None

    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, **kwargs):
        super().compile(optimizer, loss, loss_weights, **kwargs)
        tracked = []
        if self.uncertainty is not None and isinstance(self.loss, dict):
            tracked = [keras.metrics.Mean(name=f"{name}_loss") for name in self.loss]
        weights = loss_weights if isinstance(loss_weights, dict) else {}
        # Not as tracked state, which a built model does not accept; Keras's compile does the same.
        object.__setattr__(self, "_task_losses", tracked)
        object.__setattr__(self, "_untrained", {name for name, w in weights.items() if w == 0})

    @property
    def metrics(self):
        return [*super().metrics, *getattr(self, "_task_losses", ())]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        layer = self.uncertainty
        if layer is None or not isinstance(self.loss, dict) or y is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        # Keras sums the losses of all devices, so each device contributes its share of the mean.
        share = 1.0 / replica_count()
        losses, total = {}, 0.0
        for (name, loss), tracked in zip(self.loss.items(), self._task_losses):
            weight = sample_weight[name] if isinstance(sample_weight, dict) else sample_weight
            value = _value(loss, y[name], y_pred[name], weight)
            tracked.update_state(value / share)
            if name in self._untrained:
                total = total + 0.0 * value  # gradients of 0, as Keras's own weighting gives
            else:
                losses[name] = value
        total = total + layer.weigh(losses, share)
        for extra in self.losses:
            total = total + ops.cast(extra, total.dtype) * share
        return total


def _value(loss, y_true, y_pred, weight):
    loss = keras.losses.get(loss)
    if not isinstance(loss, keras.losses.Loss):
        loss = _FunctionLoss(loss)
    return loss(y_true, y_pred, sample_weight=weight)


class _FunctionLoss(keras.losses.Loss):
    """A function of targets and predictions, with the reduction of Keras losses."""

    def __init__(self, function):
        super().__init__(name="function_loss")
        self.function = function

    def call(self, y_true, y_pred):
        return self.function(y_true, y_pred)
