"""Computes a backbone's features for a video's frames, in the form that shards store."""

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

# A dense feature depends on at most 38 frames before it and 45 after it; chunks overlap by more.
DENSE_CHUNK, DENSE_CONTEXT = 64, 48
FLOAT16_MAX = float(np.finfo(np.float16).max)


class BackboneFeatures:
    """Computes backbone features: one float16 row per clip, per frame or per part of a video.

    Args:
        backbone: maps a clip (batch, time, height, width, 3) or a frame (batch, height, width, 3)
            to features. With `dense` or `whole` it maps a video (batch, time, ...) to one row per
            frame, or one row per `hop` frames.
        clip_length: frames per clip; 1 for single frames.
        hop: frames between the starts of successive clips.
        dense: return one row per frame, computed on overlapping parts of the video (C3D).
        whole: process the video in one pass, with one row per `hop` frames.
        flow: arguments of `video_flow`, for a backbone that takes optical flow.
        flow_dir: folder of stored flow, one NAME.npy per video
            (`zoo.datasets.video.flow.store_flow`); None computes the flow.
        first: first frame of the first clip; default 0, or 1 with flow, which frame 0 lacks.
        settings: further JSON values that the features depend on, such as parameters of a `method`
            in `flow`, of which only the name is known.
        batch_size: clips per call of the backbone.

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
        """Everything that the rows depend on, as JSON values."""
        shape = self.backbone.output_shape
        flow = {} if self.flow is None else {"flow": {k: _told(v) for k, v in self.flow.items()}}
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
            **flow,  # only with flow, so that the keys of other caches stay as they are
            **self.settings,
        }

    def of(self, record: Record) -> BackboneFeatures:
        """A copy that computes the features of one record."""
        own = copy.copy(self)
        own.record = record
        return own

    def rows(self, frames: Iterable[np.ndarray], total: int) -> Iterator[bytes]:
        """Yield the rows in order, each as bytes.

        Args:
            frames: the video's frames, (height, width, 3) each.
            total: the number of frames.
        """
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
        """The optical flow of every frame except the first."""
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
        """Yield features of clips batch by batch, with only one batch of frames in memory."""
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
        """Yield one feature per frame, with only one chunk and its context in memory."""
        frames = iter(frames)
        held: list[np.ndarray] = []
        first = start = 0  # numbers of the frame held[0] and of the next frame to yield
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


def _told(value: Any) -> Any:
    """A JSON value for an argument of `video_flow`: of a function, its name."""
    return f"{value.__module__}.{value.__qualname__}" if callable(value) else value
