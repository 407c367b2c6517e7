"""Writes a film of a video with its saliency, action and temporal attention."""

from __future__ import annotations

import os
from typing import Any

import cv2
import numpy as np

from zoo.datasets.video.writer import VideoWriter
from zoo.visualize.attention import PREDICTED, temporal_strip
from zoo.visualize.overlay import overlay

STRIP = 14
LINE = 22


class JointFilm:
    """Writes frames with a heat map, and below them a line of text and a time strip.

    The strip is bright where `weights` are high; a red line marks the current frame.

    Args:
        path: path of the film; the file appears only when complete.
        fps: frames per second.
        height, width: size of the frames, without text and strip.
        text: the line of text, such as "run 87%".
        weights: temporal attention, (frames,), non-negative.
        writing: sound, times and sample aspect of the film, see `VideoWriter`.

    Example:

    ```python
    with JointFilm("f.mp4", fps=25, height=90, width=160, text="run", weights=w) as film:
        film.write(frame, saliency)
    ```
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        fps: float,
        height: int,
        width: int,
        text: str,
        weights: np.ndarray,
        **writing: Any,
    ):
        below = STRIP + LINE
        self.count = len(weights)
        self.text = text
        self.strip = temporal_strip(weights, width, STRIP)
        self._at = 0
        self._writer = VideoWriter(
            path, fps=fps, height=height + below, width=width, quality=23, **writing
        )

    def __enter__(self) -> JointFilm:
        self._writer.__enter__()
        return self

    def write(self, frame: np.ndarray, saliency: np.ndarray | None) -> None:
        """Append a frame; without a saliency map, it is shown unchanged."""
        self._writer.write(self.picture(frame, saliency))
        self._at += 1

    def picture(self, frame: np.ndarray, saliency: np.ndarray | None) -> np.ndarray:
        """The next frame of the film."""
        if saliency is not None:
            frame = overlay(frame, saliency, strength=0.75)
        width = frame.shape[1]
        line = np.full((LINE, width, 3), 24, np.uint8)
        cv2.putText(
            line, self.text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (240,) * 3, 1, cv2.LINE_AA
        )
        strip = self.strip.copy()
        place = min(width - 1, int((self._at + 0.5) / self.count * width))
        strip[:, max(0, place - 1) : place + 1] = PREDICTED
        return np.concatenate([frame, line, strip])

    def __exit__(self, kind, error, trace) -> None:
        self._writer.__exit__(kind, error, trace)
