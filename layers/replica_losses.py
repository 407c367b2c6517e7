from __future__ import annotations

from zoo.layers.replicas import replica_count, this_replica


class ReplicaLosses:
    """Mixin for `keras.layers.Layer` that restricts a replica to the losses it added itself.

    Under `tf.distribute` the replicas on all devices are traced through the same layer, taking
    turns: whenever one waits for the others, as in batch normalisation, the next one continues.
    Keras keeps the losses that they add by `add_loss` in a single list, so the reported loss would
    count some of them more than once.
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
