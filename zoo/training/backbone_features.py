"""A backbone's features of a video's frames, as a stream that shards are written from."""

from __future__ import annotations

import copy
import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.datasets.record import Record
from zoo.datasets.shards.format import FEATURES
from zoo.datasets.video.flow import read_flow, video_flow
from zoo.training.devices import predict_on_batch
from zoo.training.digests import fingerprint

# A dense feature sees 38 frames back and 45 ahead at most; chunks overlap by more than that.
DENSE_CHUNK, DENSE_CONTEXT = 64, 48
FLOAT16_MAX = float(np.finfo(np.float16).max)


class BackboneFeatures:
    """Computes a backbone's features, a float16 row a clip, a frame, or a part of a video.

    Args:
        backbone: Maps a clip (batch, time, height, width, 3) or a frame (batch, height, width, 3)
            to features; with `dense` or `whole` a video (batch, time, ...) to a row a frame, or
            a row every `hop` frames.
        clip_length: Frames of a clip; 1 for single frames.
        hop: Frames between the beginnings of two clips.
        dense: One row a frame, from overlapping parts of the video (C3D).
        whole: The video in one pass, `hop` frames a row.
        flow: Options of `video_flow` where the backbone takes optical flow.
        flow_dir: Folder of stored flow, NAME.npy a video (`zoo.datasets.video.flow.store_flow`);
            None computes it.
        first: First frame of the first clip; default 0, with flow 1, because frame 0 has none.
        settings: What else the features depend on, as JSON.
        batch_size: Clips in one call of the backbone.

    Example: `FeatureStore("cache/features", BackboneFeatures(backbone, clip_length=16))`
    """

    name = FEATURES

    def __init__(
        self,
        backbone: keras.Model,
        *,
        clip_length: int = 1,
        hop: int = 1,
        dense: bool = False,
        whole: bool = False,
        flow: dict[str, Any] | None = None,
        flow_dir: str | os.PathLike | None = None,
        first: int | None = None,
        settings: dict[str, Any] | None = None,
        batch_size: int = 8,
    ):
        self.backbone = backbone
        self.clip_length = clip_length
        self.hop = hop
        self.dense = dense
        self.whole = whole
        self.flow = flow
        self.settings = settings or {}
        self.batch_size = batch_size
        self.size = tuple(backbone.input_shape[-3:-1])
        self.flow_dir = None if flow_dir is None else Path(flow_dir)
        self.first = int(flow is not None) if first is None else first
        self.record: Record | None = None

    def describe(self) -> dict[str, Any]:
        """All that the rows depend on, as JSON."""
        shape = self.backbone.output_shape
        return {
            "dtype": "float16",
            "shape": list(shape[2 if self.dense or self.whole else 1 :]),
            "hop": self.hop,
            "first": self.first,
            "clip_length": self.clip_length,
            "dense": self.dense,
            "size": list(self.size),
            "digest": fingerprint(self.backbone),
            "flow_dir": None if self.flow_dir is None else str(self.flow_dir.resolve()),
            **self.settings,
        }

    def of(self, record: Record) -> BackboneFeatures:
        """These features, of one record's frames."""
        own = copy.copy(self)
        own.record = record
        return own

    def rows(self, frames: Iterable[np.ndarray], total: int) -> Iterator[bytes]:
        """The rows as bytes, one after the other."""
        if total < self.clip_length + self.first:
            return
        if self.flow is not None:
            frames = self._fields(frames, total)
        frames = itertools.islice(frames, self.first - int(self.flow is not None), None)
        parts = self._dense(frames) if self.dense else self._clips(frames)
        parts = self._whole(frames) if self.whole else parts
        for part in parts:
            for row in np.clip(part, -FLOAT16_MAX, FLOAT16_MAX).astype(np.float16):
                yield row.tobytes()

    def _fields(self, frames: Iterable[np.ndarray], total: int) -> Iterator[np.ndarray]:
        """The flow of every frame but the first."""
        if self.flow_dir is None:
            return video_flow(frames, output_size=self.size, **self.flow)
        stored = read_flow(
            self.flow_dir / f"{self.record.name}.npy",
            num_frames=total,
            output_size=self.size,
            scale_vectors=self.flow.get("scale_vectors", True),
        )
        return iter(stored[1:])

    def _apply(self, batch: np.ndarray) -> np.ndarray:
        return predict_on_batch(self.backbone, batch)

    def _whole(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        yield self._apply(np.stack(list(frames))[None].astype("float32"))[0]

    def _clips(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Features of the clips, a batch at a time; no more frames are held than a batch needs."""
        single = len(self.backbone.input_shape) == 4
        held: deque[np.ndarray] = deque(maxlen=self.clip_length)
        batch: list[np.ndarray] = []
        for number, frame in enumerate(frames):
            held.append(frame)
            first = number - self.clip_length + 1
            if first >= 0 and first % self.hop == 0:
                batch.append(held[0] if single else np.stack(held))
            if len(batch) == self.batch_size:
                yield self._apply(np.stack(batch))
                batch = []
        if batch:
            yield self._apply(np.stack(batch))

    def _dense(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """One feature a frame; no more frames are held than a part and its surroundings."""
        frames = iter(frames)
        held: list[np.ndarray] = []
        first = start = 0  # frame number of held[0], and the next to be given
        ended = False
        while not ended or start < first + len(held):
            while not ended and first + len(held) < start + DENSE_CHUNK + DENSE_CONTEXT:
                frame = next(frames, None)
                ended = frame is None
                if not ended:
                    held.append(frame)
            stop = min(start + DENSE_CHUNK, first + len(held))
            if stop <= start:
                return
            part = self._apply(np.stack(held)[None])[0]
            yield part[start - first : stop - first]
            start = stop
            drop = max(0, start - DENSE_CONTEXT - first)
            del held[:drop]
            first += drop
