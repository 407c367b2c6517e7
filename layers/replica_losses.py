from __future__ import annotations

from zoo.layers.replicas import replica_count, this_replica


class ReplicaLosses:
    """Stands before `keras.layers.Layer`: a copy of the model sees only the losses it added itself.

    Under `tf.distribute` the copies on all devices are traced through one layer, turn by turn:
    wherever one of them waits for the others, as batch normalisation does, the next goes on. Keras
    keeps what they add by `add_loss` in one list, and the loss that is reported would count some of
    it more than once.
    """

    def add_loss(self, loss):
        if replica_count() > 1:
            loss._zoo_replica = this_replica()
        super().add_loss(loss)

    def _get_own_losses(self):
        losses = super()._get_own_losses()
        if replica_count() == 1:
            return losses
        here = this_replica()
        return [loss for loss in losses if getattr(loss, "_zoo_replica", here) is here]
