"""NSS, CC, SIM, KL, information gain and log-likelihood as Keras metrics."""

from __future__ import annotations

import keras

from zoo.metrics.frame_metric import FrameMetric
from zoo.metrics.maps import EPSILON
from zoo.metrics.saliency import (
    cc,
    information_gain,
    kl_divergence,
    log_likelihood,
    nss,
    similarity,
)


@keras.saving.register_keras_serializable(package="zoo")
class NSS(FrameMetric):
    """Mean of `zoo.metrics.nss` over frames.

    Args:
        ddof: 0 (pysaliency) or 1 (Matlab), see `zoo.metrics.nss`.
        duplicates: Whether several fixations of a pixel count several times.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` fixation counts (..., height, width), `y_pred` maps (..., height, width).

    Example: `NSS().update_state(fixations, saliency)`
    """

    def __init__(self, ddof=0, duplicates=True, name="nss", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.ddof = ddof
        self.duplicates = duplicates

    def frame_values(self, y_true, y_pred):
        return nss(y_pred, y_true, ddof=self.ddof, duplicates=self.duplicates)

    def get_config(self):
        return {**super().get_config(), "ddof": self.ddof, "duplicates": self.duplicates}


@keras.saving.register_keras_serializable(package="zoo")
class CC(FrameMetric):
    """Mean of `zoo.metrics.cc` over frames.

    Shapes: `y_true` true maps (..., height, width), `y_pred` maps (..., height, width).

    Example: `CC().update_state(truth, saliency)`
    """

    def __init__(self, name="cc", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def frame_values(self, y_true, y_pred):
        return cc(y_pred, y_true)


@keras.saving.register_keras_serializable(package="zoo")
class Similarity(FrameMetric):
    """Mean of `zoo.metrics.similarity` over frames.

    Args:
        min_max_first: Whether maps are first scaled to [0, 1] (Matlab) or not (pysaliency).
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` true maps (..., height, width), `y_pred` maps (..., height, width).

    Example: `Similarity().update_state(truth, saliency)`
    """

    def __init__(self, min_max_first=True, name="similarity", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.min_max_first = min_max_first

    def frame_values(self, y_true, y_pred):
        return similarity(y_pred, y_true, min_max_first=self.min_max_first)

    def get_config(self):
        return {**super().get_config(), "min_max_first": self.min_max_first}


@keras.saving.register_keras_serializable(package="zoo")
class KLDivergence(FrameMetric):
    """Mean of `zoo.metrics.kl_divergence` over frames.

    Args:
        epsilon: Keeps quotient and logarithm finite.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` true maps (..., height, width), `y_pred` maps (..., height, width).

    Example: `KLDivergence().update_state(truth, saliency)`
    """

    def __init__(self, epsilon=EPSILON, name="kl_divergence", dtype=None, **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.epsilon = epsilon

    def frame_values(self, y_true, y_pred):
        return kl_divergence(y_pred, y_true, epsilon=self.epsilon)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="zoo")
class InformationGain(FrameMetric):
    """Mean of `zoo.metrics.information_gain`, in bits, over frames.

    Args:
        baseline: Baseline map (height, width), used for all frames. None: `y_true` has it as a
            second channel.
        min_max_first: Whether maps are first scaled to [0, 1] (MIT) or not (pysaliency).
        duplicates: Whether several fixations of a pixel count several times.
        epsilon: Keeps the logarithm finite.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` fixation counts (..., height, width), or (..., height, width, 2) with the
    baseline as the second channel; `y_pred` maps (..., height, width).

    Example: `InformationGain(baseline[0]).update_state(fixations, saliency)`
    """

    _second_map = "baseline"

    def __init__(
        self,
        baseline=None,
        min_max_first=False,
        duplicates=True,
        epsilon=EPSILON,
        name="information_gain",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.baseline = baseline
        self.min_max_first = min_max_first
        self.duplicates = duplicates
        self.epsilon = epsilon

    def frame_values(self, y_true, y_pred):
        return information_gain(
            y_pred,
            *self._split(y_true, y_pred, self.baseline),
            min_max_first=self.min_max_first,
            duplicates=self.duplicates,
            epsilon=self.epsilon,
        )

    def get_config(self):
        own = {
            "baseline": keras.saving.serialize_keras_object(self.baseline),
            "min_max_first": self.min_max_first,
            "duplicates": self.duplicates,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        baseline = keras.saving.deserialize_keras_object(config.pop("baseline"))
        return cls(baseline=baseline, **config)


@keras.saving.register_keras_serializable(package="zoo")
class LogLikelihood(FrameMetric):
    """Mean of `zoo.metrics.log_likelihood`, in nats, over frames.

    Args:
        duplicates: Whether several fixations of a pixel count several times.
        epsilon: Keeps the logarithm finite.
        name: Name of the metric.
        dtype: Ignored; the computation is in float32.

    Shapes: `y_true` fixation counts (..., height, width), `y_pred` maps (..., height, width).

    Example: `LogLikelihood().update_state(fixations, saliency)`
    """

    def __init__(
        self, duplicates=True, epsilon=EPSILON, name="log_likelihood", dtype=None, **kwargs
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.duplicates = duplicates
        self.epsilon = epsilon

    def frame_values(self, y_true, y_pred):
        return log_likelihood(y_pred, y_true, duplicates=self.duplicates, epsilon=self.epsilon)

    def get_config(self):
        own = {"duplicates": self.duplicates, "epsilon": self.epsilon}
        return {**super().get_config(), **own}
