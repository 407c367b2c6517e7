"""Metrics of saliency maps, action recognition and localisation, on any Keras backend."""

from zoo.metrics.auc import auc_judd, auc_shuffled, auc_uniform
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

__all__ = [
    "auc_judd",
    "auc_shuffled",
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
