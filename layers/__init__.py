"""Layers for video attention, for every Keras backend."""

from zoo.layers.attention.attention_conv_lstm import AttentionConvLSTM
from zoo.layers.attention.attention_lstm import AttentionLSTM
from zoo.layers.attention.attention_penalties import doubly_stochastic, log_concavity
from zoo.layers.attention.location_attention import LocationAttention
from zoo.layers.attention.regularizers import Contrast, TotalVariation
from zoo.layers.attention.spatial_mask import SpatialMask
from zoo.layers.attention.temporal_soft_attention import TemporalSoftAttention
from zoo.layers.batch_normalization import BatchNormalization
from zoo.layers.clip_scaling import ClipScaling
from zoo.layers.cropping import FastCropping2D
from zoo.layers.depthwise_convolution import DepthwiseConv2D
from zoo.layers.flow.median_filter import median_filter_5x5
from zoo.layers.flow.tvl1 import tvl1_flow
from zoo.layers.flow.tvl1_layer import TVL1Flow, tvl1_function
from zoo.layers.input_normalization import InputNormalization
from zoo.layers.local_response_normalization import LocalResponseNormalization
from zoo.layers.per_step import PerStep
from zoo.layers.projected_lstm import ProjectedLSTM
from zoo.layers.resize_like import Enlarge, ResizeLike
from zoo.layers.saliency.central_bias_diffusion import CentralBiasDiffusion
from zoo.layers.saliency.centre_bias import CentreBias
from zoo.layers.saliency.density_memory import DensityMemory
from zoo.layers.saliency.frame_brightness import FrameBrightness
from zoo.layers.saliency.gaze_scatter import GazeScatter
from zoo.layers.saliency.local_mixture import LocalMixture
from zoo.layers.saliency.log_density import LogDensity
from zoo.layers.saliency.map_mixture import MapMixture
from zoo.layers.saliency.mixture import mixture_log_prob, mixture_map
from zoo.layers.saliency.mixture_density import MixtureDensity
from zoo.layers.saliency.motion_mixture import MotionMixture
from zoo.layers.saliency.past_density import Density, PastDensity
from zoo.layers.saliency.place_log_mass import PlaceLogMass
from zoo.layers.saliency.saliency_feedback import SaliencyFeedback
from zoo.layers.saliency.saliency_weighting import SaliencyWeighting
from zoo.layers.saliency.teacher_saliency import TeacherSaliency
from zoo.layers.saliency.video_centre_bias import VideoCentreBias
from zoo.layers.saliency_map import SaliencyMap
from zoo.layers.same_time_padding import SameTimePadding
from zoo.layers.sliding_clips import SlidingClips
from zoo.layers.task_uncertainty import TaskUncertainty
from zoo.layers.temporal_phases import (
    CropTime,
    Earlier,
    MaskPaddedTime,
    MergePhases,
    NeighbourMax,
    PadTime,
    SplitPhases,
    TrailingMean,
)

__all__ = [
    "AttentionConvLSTM",
    "AttentionLSTM",
    "BatchNormalization",
    "CentralBiasDiffusion",
    "CentreBias",
    "ClipScaling",
    "Contrast",
    "CropTime",
    "Density",
    "DensityMemory",
    "DepthwiseConv2D",
    "Earlier",
    "Enlarge",
    "FastCropping2D",
    "FrameBrightness",
    "GazeScatter",
    "InputNormalization",
    "LocalMixture",
    "LocalResponseNormalization",
    "LocationAttention",
    "LogDensity",
    "MapMixture",
    "MaskPaddedTime",
    "MergePhases",
    "MixtureDensity",
    "MotionMixture",
    "NeighbourMax",
    "PadTime",
    "PastDensity",
    "PerStep",
    "PlaceLogMass",
    "ProjectedLSTM",
    "ResizeLike",
    "SaliencyFeedback",
    "SaliencyMap",
    "SaliencyWeighting",
    "SameTimePadding",
    "SlidingClips",
    "SpatialMask",
    "SplitPhases",
    "TVL1Flow",
    "TaskUncertainty",
    "TeacherSaliency",
    "TemporalSoftAttention",
    "TotalVariation",
    "TrailingMean",
    "VideoCentreBias",
    "doubly_stochastic",
    "log_concavity",
    "median_filter_5x5",
    "mixture_log_prob",
    "mixture_map",
    "tvl1_flow",
    "tvl1_function",
]
