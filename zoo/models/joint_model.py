"""The Keras model behind `zoo.joint`."""

from __future__ import annotations

import keras
from keras import ops

from zoo.layers.replicas import replica_count
from zoo.layers.task_uncertainty import TaskUncertainty


@keras.saving.register_keras_serializable(package="zoo")
class JointModel(keras.Model):
    """A functional model whose losses a `TaskUncertainty` layer in it weights, if it has one.

    Without such a layer it is a plain `keras.Model`. With it the losses given to `compile`, a
    dict by output, are added up as the layer says; `loss_weights` then has no effect.

    Example: `zoo.joint(uncertainty=True)` builds one.
    """

    @property
    def uncertainty(self) -> TaskUncertainty | None:
        """The layer with the learned weights, or None."""
        found = [layer for layer in self.layers if isinstance(layer, TaskUncertainty)]
        return found[0] if found else None

    def compile(self, *args, **kwargs):
        super().compile(*args, **kwargs)
        tracked = []
        if self.uncertainty is not None and isinstance(self.loss, dict):
            tracked = [keras.metrics.Mean(name=f"{name}_loss") for name in self.loss]
        # A built model takes no new state; metrics are none of its own, as in Keras's compile.
        object.__setattr__(self, "_task_losses", tracked)

    @property
    def metrics(self):
        return [*super().metrics, *getattr(self, "_task_losses", ())]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        layer = self.uncertainty
        if layer is None or not isinstance(self.loss, dict) or y is None:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        # Keras adds up the losses of all devices, so each gives its share of the mean.
        share = 1.0 / replica_count()
        losses = {}
        for (name, loss), tracked in zip(self.loss.items(), self._task_losses):
            weight = sample_weight[name] if isinstance(sample_weight, dict) else sample_weight
            losses[name] = _value(loss, y[name], y_pred[name], weight)
            tracked.update_state(losses[name] / share)
        total = layer.weigh(losses, share)
        for extra in self.losses:
            total = total + ops.cast(extra, total.dtype) * share
        return total


def _value(loss, y_true, y_pred, weight):
    loss = keras.losses.get(loss)
    if not isinstance(loss, keras.losses.Loss):
        loss = _FunctionLoss(loss)
    return loss(y_true, y_pred, sample_weight=weight)


class _FunctionLoss(keras.losses.Loss):
    """A function of the targets and predictions, reduced as every Keras loss."""

    def __init__(self, function):
        super().__init__(name="function_loss")
        self.function = function

    def call(self, y_true, y_pred):
        return self.function(y_true, y_pred)
