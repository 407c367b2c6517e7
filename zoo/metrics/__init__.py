"""Metrics of saliency maps, action recognition and localisation, on any Keras backend."""

from zoo.metrics.auc import auc_judd, auc_shuffled, auc_uniform
from zoo.metrics.auc_metrics import (
    AUCBorji,
    AUCJudd,
    AUCShuffled,
    AUCShuffledSampled,
    AUCUniform,
)
from zoo.metrics.fast import saliency_metrics
from zoo.metrics.means import frame_mean, video_mean
from zoo.metrics.saliency import (
    cc,
    information_gain,
    kl_divergence,
    log_likelihood,
    nss,
    similarity,
)
from zoo.metrics.sampled_auc import auc_borji, auc_shuffled_sampled
from zoo.metrics.value_metrics import (
    CC,
    NSS,
    InformationGain,
    KLDivergence,
    LogLikelihood,
    Similarity,
)

__all__ = [
    "CC",
    "NSS",
    "AUCBorji",
    "AUCJudd",
    "AUCShuffled",
    "AUCShuffledSampled",
    "AUCUniform",
    "InformationGain",
    "KLDivergence",
    "LogLikelihood",
    "Similarity",
    "auc_borji",
    "auc_judd",
    "auc_shuffled",
    "auc_shuffled_sampled",
    "auc_uniform",
    "cc",
    "frame_mean",
    "information_gain",
    "kl_divergence",
    "log_likelihood",
    "nss",
    "saliency_metrics",
    "similarity",
    "video_mean",
]
