"""The AUC functions as Keras metrics."""

from __future__ import annotations

import keras

from zoo.metrics.auc import auc_judd, auc_shuffled, auc_uniform, check_ties
from zoo.metrics.frame_metric import FrameMetric
from zoo.metrics.sampled_auc import auc_borji, auc_shuffled_sampled


@keras.saving.register_keras_serializable(package="zoo")
class AUCJudd(FrameMetric):
    """Mean of `zoo.metrics.auc_judd` over frames.

    Args:
        ties: `"together"`, `"expected"` or `"listed"`.
        duplicates: Whether several fixations of a pixel count several times.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` fixation counts (..., height, width), `y_pred` maps (..., height, width).

    Example:

    >>> metric = AUCJudd()
    >>> metric.update_state(fixations, saliency)
    """

    def __init__(
        self,
        ties: str = "together",
        duplicates: bool = False,
        name="auc_judd",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        check_ties(ties, duplicates)
        self.ties = ties
        self.duplicates = duplicates

    def frame_values(self, y_true, y_pred):
        return auc_judd(y_pred, y_true, ties=self.ties, duplicates=self.duplicates)

    def get_config(self):
        return {**super().get_config(), "ties": self.ties, "duplicates": self.duplicates}


@keras.saving.register_keras_serializable(package="zoo")
class AUCUniform(FrameMetric):
    """Mean of `zoo.metrics.auc_uniform` over frames.

    Shapes: `y_true` fixation counts (..., height, width), `y_pred` maps (..., height, width).

    Example: `AUCUniform().update_state(fixations, saliency)`
    """

    def __init__(self, name="auc_uniform", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def frame_values(self, y_true, y_pred):
        return auc_uniform(y_pred, y_true)


@keras.saving.register_keras_serializable(package="zoo")
class AUCBorji(FrameMetric):
    """Mean of `zoo.metrics.auc_borji` over frames.

    Args:
        num_splits: Number of times a set of negatives is drawn.
        step: Distance between thresholds.
        seed: Random seed of the draws.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` fixation counts (..., height, width), `y_pred` maps (..., height, width).

    Example: `AUCBorji(num_splits=10).update_state(fixations, saliency)`
    """

    def __init__(self, num_splits=100, step=0.1, seed=0, name="auc_borji", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.num_splits = num_splits
        self.step = step
        self.seed = seed

    def frame_values(self, y_true, y_pred):
        return auc_borji(y_pred, y_true, num_splits=self.num_splits, step=self.step, seed=self.seed)

    def get_config(self):
        own = {"num_splits": self.num_splits, "step": self.step, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="zoo")
class AUCShuffled(FrameMetric):
    """Mean of `zoo.metrics.auc_shuffled` (exact) over frames.

    Args:
        other_fixations: Fixation counts (height, width) of other videos, used for all frames.
            None: `y_true` has them as a second channel.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` fixation counts (..., height, width), or (..., height, width, 2) with the
    other frames' counts as the second channel; `y_pred` maps (..., height, width).

    Example: `AUCShuffled(other_fixations[0]).update_state(fixations, saliency)`
    """

    _second_map = "other_fixations"

    def __init__(self, other_fixations=None, name="auc_shuffled", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.other_fixations = other_fixations

    def frame_values(self, y_true, y_pred):
        return auc_shuffled(y_pred, *self._split(y_true, y_pred, self.other_fixations))

    def get_config(self):
        others = keras.saving.serialize_keras_object(self.other_fixations)
        return {**super().get_config(), "other_fixations": others}

    @classmethod
    def from_config(cls, config):
        others = keras.saving.deserialize_keras_object(config.pop("other_fixations"))
        return cls(other_fixations=others, **config)


@keras.saving.register_keras_serializable(package="zoo")
class AUCShuffledSampled(FrameMetric):
    """Mean of `zoo.metrics.auc_shuffled_sampled` over frames.

    Args:
        other_fixations: As in `AUCShuffled`.
        num_splits: Number of times a set of negatives is drawn.
        step: Distance between thresholds.
        seed: Random seed of the draws.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: as in `AUCShuffled`.

    Example: `AUCShuffledSampled(other_fixations[0]).update_state(fixations, saliency)`
    """

    _second_map = "other_fixations"

    def __init__(
        self,
        other_fixations=None,
        num_splits=100,
        step=0.1,
        seed=0,
        name="auc_shuffled_sampled",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.other_fixations = other_fixations
        self.num_splits = num_splits
        self.step = step
        self.seed = seed

    def frame_values(self, y_true, y_pred):
        maps = self._split(y_true, y_pred, self.other_fixations)
        return auc_shuffled_sampled(
            y_pred, *maps, num_splits=self.num_splits, step=self.step, seed=self.seed
        )

    def get_config(self):
        others = keras.saving.serialize_keras_object(self.other_fixations)
        own = {"num_splits": self.num_splits, "step": self.step, "seed": self.seed}
        return {**super().get_config(), "other_fixations": others, **own}

    @classmethod
    def from_config(cls, config):
        others = keras.saving.deserialize_keras_object(config.pop("other_fixations"))
        return cls(other_fixations=others, **config)
