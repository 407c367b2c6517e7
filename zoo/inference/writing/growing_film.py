"""A film that can be watched while it is written."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np

from zoo.datasets.video.writer import TICKS

FRAGMENT = 25  # frames per fragment of the film: a growing film lags by at most this many frames


class GrowingFilm:
    """Writes RGB frames into a fragmented mp4 file that can be played while it grows.

    Args:
        path: path of the film.
        height, width: size of the frames.

    Example: `with GrowingFilm("live.mp4", 360, 640) as film: film.write(frame, 0.04)`.
    """

    def __init__(self, path: str | os.PathLike, height: int, width: int):
        self.path, self.size, self._tick = str(path), (height, width), -1

    def __enter__(self) -> GrowingFilm:
        flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
        self._container = av.open(self.path, "w", format="mp4", options=flags)
        try:
            self._stream = self._container.add_stream("libx264", rate=25)
            self._stream.options = {"crf": "23", "preset": "ultrafast", "tune": "zerolatency"}
        except (av.error.FFmpegError, ValueError):
            self._stream = self._container.add_stream("mpeg4", rate=25)
        height, width = self.size
        self._stream.height, self._stream.width = height + height % 2, width + width % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, TICKS)
        self._stream.gop_size = FRAGMENT
        return self

    def write(self, frame: np.ndarray, seconds: float) -> None:
        """Append one frame, (height, width, 3) uint8 RGB, shown at time `seconds`."""
        height, width = self.size
        if height % 2 or width % 2:
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture = picture.reformat(format="yuv420p")
        self._tick = max(self._tick + 1, round(seconds * TICKS))
        picture.pts, picture.time_base = self._tick, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(picture))

    def __exit__(self, kind, error, trace) -> None:
        self._container.mux(self._stream.encode())
        self._container.close()
