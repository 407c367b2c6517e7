"""The frozen backbone inside a model: its features, cached, and the weights put together again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.shards.reading import is_shard_video
from zoo.training.features import FeatureCache, fingerprint, stored_features
from zoo.training.windows import Source


def backbone_of(whole: keras.Model) -> keras.Model:
    """The model inside the model."""
    names = [layer.name for layer in whole.layers]
    layer = whole.get_layer("backbone" if "backbone" in names else "c3d")
    return getattr(layer, "layer", layer)


def joined_weights(whole: keras.Model, trained: keras.Model) -> list[np.ndarray]:
    """Weights for the whole model: its own, replaced by those of the trained part."""
    if len(trained.weights) == len(whole.weights):
        return trained.get_weights()
    own = whole.get_weights()
    # The head's layers come last in both, in the same order.
    return own[: len(own) - len(trained.weights)] + trained.get_weights()


def cached_features(config, whole, frames, cache: Path, records=()) -> list[list[Source]]:
    """The videos as the frozen backbone sees them: from their shards, or computed once."""
    settings = {"image_size": config.image_size, "preprocessing": config.preprocessing}
    backbone = backbone_of(whole)
    features = FeatureCache(cache / "features", backbone, settings, dense=config.dense)
    stored, known = {}, {record.name: record for record in records}
    if any(is_shard_video(record.video) for record in records):
        digest = fingerprint(backbone)
        for source in (source for part in frames for source in part):
            rows = stored_features(known[source.name], digest, dense=config.dense)
            if rows is not None:
                stored[source.name] = rows

    def of(source: Source) -> Source:
        inputs = stored.get(source.name)
        if inputs is None:
            inputs = features.get(source.key, source.inputs)
        return dataclasses.replace(source, inputs=inputs, points=source.points[config.lag :])

    return [[of(source) for source in part] for part in frames]
