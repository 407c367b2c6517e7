from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="zoo")
class TaskUncertainty(keras.layers.Layer):
    """Holds one learned log variance per task; its input passes through unchanged.

    `weigh` sums losses as `sum_i exp(-s_i) * loss_i + s_i`, so the weights of the tasks are
    learned together with the rest of the network.

    Args:
        tasks: Names of the tasks.

    Input shape: any. Output shape: the same.

    Raises:
        ValueError: There are no tasks.

    Example: `TaskUncertainty(("mixture", "action")).weigh({"mixture": 2.0, "action": 1.9})`

    Reference: Kendall, Gal and Cipolla, Multi-task learning using uncertainty to weigh losses,
    CVPR 2018.
    """

    def __init__(self, tasks=("mixture", "action"), **kwargs):
        kwargs.pop("dtype", None)
        super().__init__(dtype="float32", **kwargs)
        if not tasks:
            raise ValueError(f"`tasks` must name at least one task. Received: tasks={tasks}")
        self.tasks = tuple(tasks)

    def build(self, *shapes):
        self.log_variance = self.add_weight(
            name="log_variance", shape=(len(self.tasks),), initializer="zeros"
        )
        self.built = True

    def call(self, inputs):
        return inputs

    def weigh(self, losses: dict, share: float = 1.0):
        """The weighted sum of the losses of some of the tasks.

        Args:
            losses: Name of the task -> its scalar loss.
            share: This replica's fraction of the sum over all replicas, if several devices share
                a batch. Keras has already scaled `losses` by it; the log variances must be scaled
                too.
        """
        total = 0.0
        for index, name in enumerate(self.tasks):
            if name in losses:
                s = self.log_variance[index]
                total = total + ops.exp(-s) * losses[name] + s * share
        return total

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        config = super().get_config()
        config.pop("dtype", None)
        return {**config, "tasks": list(self.tasks)}
