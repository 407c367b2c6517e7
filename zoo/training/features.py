"""A frozen backbone's features, computed once and kept on disk as float16."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from zoo.backbones.c3d import CLIP_LENGTH
from zoo.datasets.shards.format import FEATURES, RGB, ShardError
from zoo.datasets.shards.reading import is_shard_video, shard_video
from zoo.training.checkpoint import write_atomically

# A dense feature sees 38 frames back and 45 ahead at most; chunks overlap by more than that.
DENSE_CHUNK, DENSE_CONTEXT = 64, 48
UNTOLD = ("name", "dtype", "trainable")


class FeatureCache:
    """Features of whole videos in a folder, a file a video.

    The folder's name inside `root` comes from the backbone's weights and from `settings`, a
    file's name from the video; so other weights or options never meet old features.

    Args:
        root: folder of all caches.
        backbone: maps a clip (batch, 16, h, w, 3) to features, or with `dense` a video to one
            feature a frame.
        settings: everything besides the weights that the features depend on.
        dense: see `zoo.backbones.c3d`.
        batch_size: clips in one call of the backbone.

    Example: `FeatureCache("cache", zoo.backbones.c3d(), {"size": 112}).get("a", frames)`.
    """

    def __init__(
        self,
        root: str | Path,
        backbone: keras.Model,
        settings: dict,
        *,
        dense: bool = False,
        batch_size: int = 8,
    ):
        self.backbone = backbone
        self.dense = dense
        self.batch_size = batch_size
        self.folder = Path(root) / weights_digest(backbone, {**settings, "dense": dense})[:24]

    def get(self, key: str, frames: np.ndarray) -> np.ndarray:
        """Memory-mapped features of `frames`, (T - 15, ...), or (T, ...) if dense.

        `key` tells one video from another, and one state of its file from the next.
        """
        path = self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        if not path.exists():
            write_atomically(path, lambda temporary: self._write(temporary, frames))
        return np.load(path, mmap_mode="r")

    def _write(self, path: Path, frames: np.ndarray) -> None:
        steps = len(frames) if self.dense else len(frames) - CLIP_LENGTH + 1
        if steps < 1:
            raise ValueError(
                f"A video must have at least {CLIP_LENGTH} frames. Received: {len(frames)} frames"
            )
        shape = self.backbone.output_shape[2 if self.dense else 1 :]
        out = np.lib.format.open_memmap(path, "w+", np.float16, (steps, *shape))
        limit = float(np.finfo(np.float16).max)
        for start, part in self._dense(frames) if self.dense else self._clips(frames):
            out[start : start + len(part)] = np.clip(part, -limit, limit)
        out.flush()
        del out

    def _clips(self, frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        steps = len(frames) - CLIP_LENGTH + 1
        for start in range(0, steps, self.batch_size):
            stop = min(start + self.batch_size, steps)
            clips = np.stack([frames[s : s + CLIP_LENGTH] for s in range(start, stop)])
            yield start, self._apply(clips)

    def _dense(self, frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, len(frames), DENSE_CHUNK):
            first = max(0, start - DENSE_CONTEXT)
            stop = min(start + DENSE_CHUNK, len(frames))
            part = self._apply(frames[None, first : stop + DENSE_CONTEXT])[0]
            yield start, part[start - first : stop - first]

    def _apply(self, clips: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(self.backbone.predict_on_batch(clips))


def weights_digest(model: keras.Model, settings: dict) -> str:
    """SHA-256 of a model's weights, its output shape and the settings."""
    digest = hashlib.sha256(
        json.dumps([settings, list(model.output_shape)], sort_keys=True, default=str).encode()
    )
    for weight in model.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()


def fingerprint(model: keras.Model) -> str:
    """SHA-256 of all that a backbone's features depend on, whatever its layers are called."""
    plain = [
        [type(layer).__name__, {k: v for k, v in layer.get_config().items() if k not in UNTOLD}]
        for layer in model.layers
        if not layer.weights and not isinstance(layer, keras.layers.InputLayer)
    ]
    return weights_digest(model, {"input": list(model.input_shape[1:]), "layers": plain})


def stored_features(record, backbone_print: str, *, dense: bool):
    """The features that a video's shards hold, or None where it is in none.

    They must be of the same backbone: else they are left alone, and computed from the frames, or
    an error where there are none.
    """
    if not is_shard_video(record.video):
        return None
    video = shard_video(record.video)
    if FEATURES not in video.shards.streams:
        return None
    about = video.shards.streams[FEATURES]
    differ = [
        f"{name}: {about.get(name)}, wanted {wanted}"
        for name, wanted in (("digest", backbone_print), ("dense", dense), ("hop", 1))
        if about.get(name) != wanted
    ]
    if not differ:
        return video.stream(FEATURES)
    told = (
        "The features in the shards must be those of the recipe's backbone: the same weights, "
        f"picture size and end point. Received: {'; '.join(differ)} of {video.shards.root}"
    )
    if RGB not in video.shards.streams:
        raise ShardError(told)
    warnings.warn(f"{told}. They are computed again from the frames.", stacklevel=3)
    return None


def video_key(record, *details) -> str:
    """Tells a record's video, its part, and the state of its file from all others."""
    if is_shard_video(record.video):
        video = shard_video(record.video)
        state = [entry["index_crc"] for entry in video.shards.manifest["shards"]]
        return json.dumps([record.video, state, *details])
    path = Path(record.video)
    times = [
        (entry.name, entry.stat().st_size, entry.stat().st_mtime_ns)
        for entry in (sorted(os.scandir(path), key=lambda e: e.name) if path.is_dir() else ())
    ] or [(path.stat().st_size, path.stat().st_mtime_ns)]
    return json.dumps([str(path.resolve()), times, record.start, record.end, *details])
