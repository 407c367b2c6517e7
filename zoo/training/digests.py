"""Digests that identify models and videos in caches."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import keras
import numpy as np

from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.files.file_state import path_state

IGNORED_CONFIG_KEYS = ("name", "dtype", "trainable")


def weights_digest(model: keras.Model, settings: dict) -> str:
    """SHA-256 of a model's weights, its output shape and the given settings."""
    digest = hashlib.sha256(
        json.dumps([settings, list(model.output_shape)], sort_keys=True, default=str).encode()
    )
    for weight in model.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()


def fingerprint(model: keras.Model) -> str:
    """SHA-256 of everything a backbone's features depend on, regardless of layer names."""
    plain = [
        [type(layer).__name__, _without(layer.get_config(), IGNORED_CONFIG_KEYS)]
        for layer in model.layers
        if not layer.weights and not isinstance(layer, keras.layers.InputLayer)
    ]
    settings = {"input": list(model.input_shape[1:]), "layers": plain}
    types = [layer.compute_dtype for layer in model.layers]
    if set(types) != {"float32"}:
        settings["types"] = types
    return weights_digest(model, settings)


def _without(config: dict, names: tuple[str, ...]) -> dict:
    return {key: value for key, value in config.items() if key not in names}


def video_key(record, *details) -> str:
    """A key that identifies a record's video, its time range and the version of its file."""
    if is_shard_video(record.video):
        video = shard_video(record.video)
        state = [entry["index_crc"] for entry in video.shards.manifest["shards"]]
        return json.dumps([record.video, state, *details])
    place, state = str(Path(record.video).resolve()), path_state(record.video)
    return json.dumps([place, state, record.fps, record.start, record.end, *details])
