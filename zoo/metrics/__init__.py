"""Metrics of saliency maps, action recognition and localisation, on any Keras backend."""

from zoo.metrics.auc import auc_judd, auc_shuffled, auc_uniform
from zoo.metrics.auc_metrics import (
    AUCBorji,
    AUCJudd,
    AUCShuffled,
    AUCShuffledSampled,
    AUCUniform,
)
from zoo.metrics.average_precision import (
    average_precision,
    mean_average_precision,
    top_k_accuracy,
)
from zoo.metrics.fast import saliency_metrics
from zoo.metrics.means import frame_mean, video_mean
from zoo.metrics.resize import resize
from zoo.metrics.saliency import (
    cc,
    information_gain,
    kl_divergence,
    log_likelihood,
    nss,
    similarity,
)
from zoo.metrics.sampled_auc import auc_borji, auc_shuffled_sampled
from zoo.metrics.spatial_localisation import (
    VideoTube,
    attention_boxes,
    attention_tubes,
    spatial_average_precisions,
    spatial_localisation_map,
    true_tubes,
    tube_iou,
)
from zoo.metrics.temporal_localisation import (
    VideoSegment,
    attention_segments,
    segment_iou,
    temporal_average_precisions,
    temporal_localisation_map,
    true_segments,
)
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
    "VideoSegment",
    "VideoTube",
    "attention_boxes",
    "attention_segments",
    "attention_tubes",
    "auc_borji",
    "auc_judd",
    "auc_shuffled",
    "auc_shuffled_sampled",
    "auc_uniform",
    "average_precision",
    "cc",
    "frame_mean",
    "information_gain",
    "kl_divergence",
    "log_likelihood",
    "mean_average_precision",
    "nss",
    "resize",
    "saliency_metrics",
    "segment_iou",
    "similarity",
    "spatial_average_precisions",
    "spatial_localisation_map",
    "temporal_average_precisions",
    "temporal_localisation_map",
    "top_k_accuracy",
    "true_segments",
    "true_tubes",
    "tube_iou",
    "video_mean",
]
