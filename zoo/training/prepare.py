"""Backbone features as a stream for shards, and the records to write to shards."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.shards.format import FEATURES

BACKBONES = ("c3d", "i3d", "googlenet", "resnet50")


@dataclass(frozen=True)
class FeatureStream:
    """A backbone's features as float16, one row per clip or per frame.

    Row i belongs to the clip of frames i * hop to i * hop + clip_length (exclusive); the last clip
    ends within the video. For backbones of single frames, a clip is one frame.

    Args:
        backbone: "c3d", "i3d", "googlenet", "resnet50", or a `.keras` file.
        weights: pretrained weights for `zoo.weights.load_weights`; None uses random weights, or
            those of the `.keras` file.
        size: (height, width) of the backbone's input frames, in pixels.
        clip_length: frames per clip; None uses 16 for C3D, 79 for I3D, 1 for single frames.
        hop: frames between the starts of successive clips.
        pool: window of average pooling over (time, height, width) with stride 1, as LSTS shrinks
            I3D's features: (6, 3, 3) for 79 frames of 224x224. None does not pool.
        dense: one feature per frame from a single pass (C3D only).
        options: further arguments of the backbone's builder, as (name, value) pairs.
        batch_size: clips per call of the backbone.
        seed: random seed of untrained weights.

    Raises:
        ValueError: if the backbone is unknown, or if `hop`, `dense` and `pool` do not go together.
    """

    backbone: str = "c3d"
    weights: str | None = None
    size: tuple[int, int] = (112, 112)
    clip_length: int | None = None
    hop: int = 1
    pool: tuple[int, int, int] | None = None
    dense: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    batch_size: int = 8
    seed: int = 0
    name: str = FEATURES

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES and not self.backbone.endswith(".keras"):
            raise ValueError(
                f"`backbone` must be one of {BACKBONES} or a .keras file. "
                f"Received: backbone={self.backbone!r}"
            )
        if self.hop < 1 or (self.dense and (self.hop > 1 or self.backbone != "c3d" or self.pool)):
            raise ValueError(
                "`hop` must be at least 1; `dense` works only with c3d, hop 1 and no pool. "
                f"Received: hop={self.hop}, dense={self.dense}, backbone={self.backbone!r}, "
                f"pool={self.pool}"
            )

    @property
    def length(self) -> int:
        """Frames per clip."""
        if self.dense:
            return 1
        own = {"c3d": 16, "i3d": 79}.get(self.backbone)
        return self.clip_length or own or _clip_of(self.model)

    @property
    def model(self):
        """The backbone, built once per process."""
        return _model(self)

    def describe(self) -> dict[str, Any]:
        """Everything that the rows depend on, as JSON values."""
        return dict(_description(self))

    def rows(self, frames: Iterable[np.ndarray], total: int) -> Iterator[bytes]:
        """Yield the rows of a video of `total` frames in order, each as bytes."""
        from zoo.training.backbone_features import BackboneFeatures

        features = BackboneFeatures(
            self.model,
            clip_length=self.length,
            hop=self.hop,
            dense=self.dense,
            batch_size=self.batch_size,
        )
        return features.rows(frames, total)


@functools.lru_cache(maxsize=4)
def _description(stream: FeatureStream) -> tuple[tuple[str, Any], ...]:
    from zoo.training.digests import fingerprint

    model = stream.model
    about = {
        "dtype": "float16",
        "shape": list(model.output_shape[2 if stream.dense else 1 :]),
        "hop": stream.hop,
        "clip_length": stream.length,
        "dense": stream.dense,
        "pool": None if stream.pool is None else list(stream.pool),
        "backbone": os.path.basename(stream.backbone),
        "size": list(stream.size),
        "weights": None if stream.weights is None else os.path.basename(stream.weights),
        "digest": fingerprint(model),
    }
    return tuple(about.items())


@functools.lru_cache(maxsize=4)
def _model(stream: FeatureStream):
    import keras

    from zoo import backbones
    from zoo.backbones.loading import load_weights
    from zoo.models.loading import load

    if stream.backbone.endswith(".keras"):
        model = load(stream.backbone)
    else:
        keras.utils.set_random_seed(stream.seed)
        options = dict(stream.options)
        if stream.backbone == "c3d":
            options["dense"] = stream.dense
        if stream.backbone == "i3d":
            options["num_frames"] = stream.clip_length or 79
        model = getattr(backbones, stream.backbone)(image_size=stream.size, **options)
        if stream.weights is not None:
            load_weights(model, stream.weights)
    if stream.pool is not None:
        if len(model.output_shape) != 5:
            raise ValueError(
                "`pool` needs features of shape (time, height, width, channels). "
                f"Received: shape={model.output_shape[1:]} of {stream.backbone}"
            )
        pooled = keras.layers.AveragePooling3D(stream.pool, 1, name="pool")(model.output)
        model = keras.Model(model.inputs, pooled, name=f"{model.name}_pooled")
    return model


def _clip_of(model) -> int:
    if len(model.input_shape) == 4:
        return 1
    if model.input_shape[1] is None:
        raise ValueError(
            "`clip_length` must be given for a backbone that takes any number of frames. "
            "Received: clip_length=None"
        )
    return int(model.input_shape[1])


def load_all(dataset: str, data_dir: str | Path, split: str | None):
    """Load all records of a data set, with or without gaze, and its class names."""
    import importlib

    if dataset == "csv":
        from zoo.datasets import your_own

        return your_own.load(data_dir, split), your_own.class_names(data_dir)
    module = importlib.import_module(f"zoo.datasets.{dataset}")
    return module.load(data_dir, split=split), getattr(module, "CLASSES", ())
