"""One row for every layer, loss, metric and model of the zoo: a factory and the input.

An input that is a shape is filled with random numbers in [0, 1), or in [0, 255) if it ends in three
channels; an input that is an array is used as it is.
"""

from __future__ import annotations

import keras
import numpy as np

import zoo
from zoo import layers, losses, metrics

MAPS = (2, 9, 11)
VIDEO = (2, 4, 5, 5, 6)


def moving_pattern(height=24, width=24):
    """Two smooth frames, shifted by one pixel: on noise, flow is not well defined."""
    y, x = np.mgrid[:height, :width].astype("float32")
    frames = [127.5 + 100.0 * np.sin((x - t) / 3.0) * np.cos(y / 4.0) for t in (0, 1)]
    return np.repeat(np.stack(frames)[None, ..., None], 3, axis=-1).astype("float32")


def small_general(**options):
    """The general model with a small backbone, always with the same weights."""
    keras.utils.set_random_seed(0)
    return zoo.general_saliency(backbone=small_pyramid(), width=8, **options)


def small_pyramid():
    """A frame backbone with feature maps at strides 8 and 16."""
    frame = x = keras.Input((None, None, 3))
    maps = []
    for filters in (4, 4, 6, 6):
        x = keras.layers.Conv2D(
            filters, 3, 2, padding="same", activation="relu", data_format="channels_last"
        )(x)
        maps.append(x)
    return keras.Model(frame, maps[2:], name="backbone")


# name: (factory, shapes of the inputs)
LAYERS = {
    "AttentionConvLSTM": (
        lambda **k: layers.AttentionConvLSTM(4, steps=3, units=4, unimodality=1.0, **k),
        [VIDEO],
    ),
    "AttentionLSTM": (
        lambda **k: layers.AttentionLSTM(4, num_layers=2, dropout=0.0, penalty=1.0, **k),
        [VIDEO],
    ),
    "BatchNormalization": (lambda **k: layers.BatchNormalization(**k), [(2, 5, 5, 6)]),
    "CentralBiasDiffusion": (
        lambda **k: layers.CentralBiasDiffusion(2, **k),
        [(2, 4, 3, 6)],
    ),
    "CentreBias": (lambda **k: layers.CentreBias(**k), [(2, 6, 9, 1)]),
    "ClipScaling": (lambda **k: layers.ClipScaling(-20.0, 20.0, **k), [(2, 4, 5, 5, 2)]),
    "CropTime": (lambda **k: layers.CropTime(**k), [(2, 8, 3), (2, 5, 3)]),
    "Density": (lambda **k: layers.Density(**k), [(2, 4, 6, 9)]),
    "DensityMemory": (lambda **k: layers.DensityMemory(0.3, **k), [MAPS, MAPS]),
    "DepthwiseConv2D": (
        lambda **k: layers.DepthwiseConv2D(3, padding="same", **k),
        [(2, 5, 7, 6)],
    ),
    "Earlier": (lambda **k: layers.Earlier(2, **k), [(2, 4, 5)]),
    "Enlarge": (lambda **k: layers.Enlarge(3, **k), [(2, 5, 7, 4)]),
    "FastCropping2D": (lambda **k: layers.FastCropping2D(((1, 0), (0, 2)), **k), [(2, 5, 7, 6)]),
    "FrameBrightness": (lambda **k: layers.FrameBrightness(**k), [(2, 4, 9, 13, 3), (2, 4, 6, 9)]),
    "InputNormalization": (
        lambda **k: layers.InputNormalization(mean=(1.0, 2.0, 3.0), channel_order="bgr", **k),
        [(2, 4, 5, 5, 3)],
    ),
    "LocalMixture": (
        lambda **k: layers.LocalMixture(**k),
        [VIDEO, (2, 4, 7)],
    ),
    "LocalResponseNormalization": (
        lambda **k: layers.LocalResponseNormalization(**k),
        [(2, 5, 5, 6)],
    ),
    "GazeScatter": (lambda **k: layers.GazeScatter(video_side=300, **k), [MAPS]),
    "LocationAttention": (
        lambda **k: layers.LocationAttention("additive", **k),
        [(2, 5, 5, 6), (2, 4)],
    ),
    "LogDensity": (lambda **k: layers.LogDensity(**k), [(2, 6, 9, 1)]),
    "MapMixture": (lambda **k: layers.MapMixture(2, 3, **k), [MAPS]),
    "MaskPaddedTime": (lambda **k: layers.MaskPaddedTime(2, **k), [(4, 4, 3), (2, 7, 3)]),
    "MergePhases": (lambda **k: layers.MergePhases(4, **k), [(8, 3, 5)]),
    "MixtureDensity": (lambda **k: layers.MixtureDensity(3, **k), [(2, 4, 8)]),
    "MotionMixture": (lambda **k: layers.MotionMixture(**k), [MAPS, MAPS, MAPS]),
    "VideoCentreBias": (lambda **k: layers.VideoCentreBias(video_side=416, **k), [MAPS, MAPS]),
    "NeighbourMax": (lambda **k: layers.NeighbourMax(causal=True, **k), [(2, 4, 5)]),
    "PadTime": (lambda **k: layers.PadTime(8, **k), [(2, 5, 3)]),
    "PastDensity": (lambda **k: layers.PastDensity(3, **k), [(2, 5, 6, 9)]),
    "PlaceLogMass": (lambda **k: layers.PlaceLogMass(3, **k), [(2, 6, 9)]),
    "PerStep": (
        lambda **k: layers.PerStep(zoo.layers.MixtureDensity(2), **k),
        [(2, 4, 8)],
    ),
    "ProjectedLSTM": (
        lambda **k: layers.ProjectedLSTM(4, return_sequences=True, **k),
        [(2, 5, 6)],
    ),
    "ResizeLike": (lambda **k: layers.ResizeLike(**k), [(2, 3, 4, 6), (2, 5, 8, 2)]),
    "SaliencyFeedback": (
        lambda **k: layers.SaliencyFeedback(4, num_components=2, **k),
        [VIDEO],
    ),
    "SaliencyMap": (lambda **k: layers.SaliencyMap(12, 20, **k), [(2, 6, 10, 1)]),
    "SameTimePadding": (lambda **k: layers.SameTimePadding(7, 2, **k), [(2, 5, 3)]),
    "SaliencyWeighting": (
        lambda **k: layers.SaliencyWeighting("mean", **k),
        [VIDEO, (2, 4, 3, 6)],
    ),
    "SlidingClips": (lambda **k: layers.SlidingClips(4, stride=2, **k), [(2, 9, 3)]),
    "SpatialMask": (
        lambda **k: layers.SpatialMask(filters=(4, 3), tv=1e-5, contrast=1e-4, **k),
        [VIDEO],
    ),
    "SplitPhases": (lambda **k: layers.SplitPhases(2, **k), [(2, 8, 3)]),
    "TaskUncertainty": (lambda **k: layers.TaskUncertainty(**k), [(2, 3)]),
    "TeacherSaliency": (lambda **k: layers.TeacherSaliency(**k), [VIDEO, (2, 4, 3, 2)]),
    "TemporalSoftAttention": (
        lambda **k: layers.TemporalSoftAttention(units=4, **k),
        [VIDEO, (2, 5, 5, 3)],
    ),
    "TrailingMean": (lambda **k: layers.TrailingMean(3, **k), [(2, 5, 4)]),
    "TVL1Flow": (lambda **k: layers.TVL1Flow(scales=2, warps=1, inner=3, **k), [moving_pattern()]),
}

# name: (factory, y_true, y_pred)
_rng = np.random.default_rng(0)
_truth = _rng.uniform(size=MAPS).astype("float32")
_map = _rng.uniform(0.01, 1.0, size=MAPS).astype("float32")
_counts = _rng.poisson(0.1, size=MAPS).astype("float32")
_mixture = _rng.normal(size=(2, 4, 3, 6)).astype("float32")
_points = _rng.uniform(size=(2, 4, 5, 2)).astype("float32")
_points[0, 1:, 2:] = np.nan
_weights = _rng.dirichlet(np.ones(6), size=(2, 3)).astype("float32")
_attention = _rng.dirichlet(np.ones(25), size=(2, 4)).reshape(2, 4, 5, 5).astype("float32")
_steps = _rng.dirichlet(np.ones(3), size=(2, 4)).astype("float32")

LOSSES = {
    "DensityCrossEntropy": (
        lambda: losses.DensityCrossEntropy(nss=0.1, cc=0.1, kl=0.1),
        _counts,
        np.log(_map / _map.sum((1, 2), keepdims=True)),
    ),
    "DoublyStochastic": (losses.DoublyStochastic, np.zeros_like(_attention), _attention),
    "LogConcavity": (losses.LogConcavity, np.zeros_like(_weights), _weights),
    "MinMaxMSE": (losses.MinMaxMSE, _truth, _map),
    "MixtureNLL": (losses.MixtureNLL, _points, _mixture),
    "SaliencyCorrelation": (losses.SaliencyCorrelation, _truth, _map),
    "SaliencyKL": (losses.SaliencyKL, _truth, _map),
    "SaliencyNSS": (losses.SaliencyNSS, _counts, _map),
    "SaliencySum": (losses.SaliencySum, np.stack([_truth, _counts], -1), _map),
    "StepCrossEntropy": (losses.StepCrossEntropy, np.array([[0], [2]], "int32"), _steps),
}

_uniform = np.full(MAPS[1:], 1.0 / (MAPS[1] * MAPS[2]), "float32")
_others = _rng.poisson(0.3, size=MAPS[1:]).astype("float32")
METRICS = {
    "AUCBorji": (metrics.AUCBorji, _counts, _map),
    "AUCJudd": (metrics.AUCJudd, _counts, _map),
    "AUCShuffled": (lambda: metrics.AUCShuffled(other_fixations=_others), _counts, _map),
    "AUCShuffledSampled": (
        lambda: metrics.AUCShuffledSampled(other_fixations=_others),
        _counts,
        _map,
    ),
    "AUCUniform": (metrics.AUCUniform, _counts, _map),
    "CC": (metrics.CC, _truth, _map),
    "InformationGain": (lambda: metrics.InformationGain(baseline=_uniform), _counts, _map),
    "KLDivergence": (metrics.KLDivergence, _truth, _map),
    "LogLikelihood": (metrics.LogLikelihood, _counts, _map),
    "NSS": (metrics.NSS, _counts, _map),
    "Similarity": (metrics.Similarity, _truth, _map),
}

MODELS = {
    "general_saliency": (
        lambda: zoo.general_saliency(backbone=small_pyramid(), width=8, memory=3, mixture=(2, 3)),
        {"rgb": (1, 4, 40, 56, 3)},
    ),
    "joint": (
        lambda: zoo.joint(
            num_classes=3,
            backbone=None,
            feature_shape=(5, 5, 6),
            dense=True,
            units=4,
            num_components=2,
            feedback=True,
            pooling="attention",
            uncertainty=True,
        ),
        {"features": (2, 4, 5, 5, 6)},
    ),
    "joint clips": (
        lambda: zoo.joint(
            num_classes=3, width=1 / 32, units=4, num_components=2, image_size=32, attend="clip"
        ),
        {"rgb": (1, 18, 32, 32, 3)},
    ),
    "rmdn": (
        lambda: zoo.rmdn(width=1 / 32, units=4, num_components=2, image_size=32),
        {"rgb": (1, 18, 32, 32, 3)},
    ),
    "rmdn dense": (
        lambda: zoo.rmdn(width=1 / 32, units=4, num_components=2, image_size=32, dense=True),
        {"rgb": (1, 10, 32, 32, 3)},
    ),
    "lsts": (
        lambda: zoo.lsts(backbone=None, feature_shape=(5, 5, 5, 8)),
        {"features": (1, 5, 5, 5, 8)},
    ),
    "soft_attention": (
        lambda: zoo.soft_attention(
            num_classes=3, num_frames=4, backbone=None, feature_shape=(5, 5, 6), units=4
        ),
        {"features": (2, 4, 5, 5, 6)},
    ),
    "spatiotemporal_attention": (
        lambda: zoo.spatiotemporal_attention(
            num_classes=3,
            num_frames=4,
            steps=3,
            backbone=None,
            feature_shape=(5, 5, 6),
            mask_filters=(4,),
            filters=4,
            score_units=4,
        ),
        {"features": (2, 4, 5, 5, 6)},
    ),
}
