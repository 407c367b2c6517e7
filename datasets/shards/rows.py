"""A stream of a video as an array whose rows are read when they are indexed."""

from __future__ import annotations

import math
import zlib
from typing import Any

import cv2
import numpy as np

from zoo.datasets.shards.format import ShardError
from zoo.datasets.shards.streams import JPEG


class Rows:
    """A stream of a video as an array whose rows are read when they are indexed.

    Pictures are (frames, height, width, 3) uint8 RGB; other streams are as they were stored.

    Args:
        video: A `ShardVideo`.
        name: Name of the stream.
    """

    def __init__(self, video: Any, name: str):
        self.video, self.name = video, name
        self.about = video.shards.streams[name]
        self.dtype = np.dtype(np.uint8 if self.about["dtype"] == JPEG else self.about["dtype"])
        row = self.about["shape"] or (video.facts["height"], video.facts["width"], 3)
        self.shape = (len(video.tables[name][0]), *(int(side) for side in row))
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key) -> np.ndarray:
        rest = ()
        if isinstance(key, tuple):
            key, rest = key[0], key[1:]
        rows = np.arange(len(self))[key]  # slices, masks and negative numbers as in NumPy
        flat = np.unique(rows)
        out = np.empty((len(flat), *self.shape[1:]), self.dtype)
        for at, data in enumerate(self.video.read_rows(self.name, flat)):
            out[at] = self._decode(data)
        out = out[np.searchsorted(flat, rows)]
        return out[(slice(None),) * np.ndim(rows) + rest] if rest else out

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        out = self[:]
        return out if dtype is None else out.astype(dtype)

    def _decode(self, data: bytes) -> np.ndarray:
        if self.about["dtype"] != JPEG:
            if self.about.get("compression") == "zlib":
                size = math.prod(self.shape[1:]) * self.dtype.itemsize
                apart = zlib.decompressobj().decompress(data, size)
                apart = np.frombuffer(apart, np.uint8).reshape(2, -1)
                data = np.ascontiguousarray(apart.T)
            return np.frombuffer(data, self.dtype).reshape(self.shape[1:])
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ShardError(
                "Every frame must be a readable picture. "
                f"Received: an unreadable frame of {self.video.name!r}"
            )
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
