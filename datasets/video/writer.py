"""Writing videos that browsers can play."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from zoo.datasets.video.sound import add_sound

TICKS = 60_000  # per second; time stamps of most frame rates are whole numbers of ticks


class VideoWriter:
    """Writes RGB frames to an h264 mp4 file, which gets its name only when it is complete.

    An odd height or width, which yuv420p does not support, is made even by repeating the last row
    or column. If FFmpeg has no h264 encoder, mpeg4 is written instead, with a warning.

    Args:
        path: The file to write; its folder is created.
        fps: Frames per second.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        quality: Constant rate factor of x264: 0 lossless, 18 visually lossless, 28 small files.
        preset: Speed of x264, from "ultrafast" to "veryslow".
        threads: Number of encoder threads; None lets FFmpeg choose.
        key_every: Maximum number of frames between key frames; None lets FFmpeg choose.
        times: Time of each frame in seconds, starting at 0; None: a constant rate of `fps`.
        sample_aspect: Displayed width of a pixel divided by its height.
        sound: A video whose sound is added to the file, and the time in seconds in that video at
            which the frames begin.

    Raises:
        ValueError: `fps`, `height` or `width` is out of range, or a frame has a wrong shape.

    Example:
        with VideoWriter("out.mp4", fps=25, height=112, width=112) as writer:
            for frame in frames:  # (112, 112, 3) uint8 RGB
                writer.write(frame)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        fps: float,
        height: int,
        width: int,
        quality: int = 18,
        preset: str = "veryfast",
        threads: int | None = None,
        key_every: int | None = None,
        times: Sequence[float] | None = None,
        sample_aspect: Fraction | float = 1,
        sound: tuple[str, float] | None = None,
    ):
        if not fps > 0:
            raise ValueError(f"`fps` must be above 0. Received: fps={fps}")
        if height < 1 or width < 1:
            raise ValueError(
                f"`height` and `width` must be at least 1. Received: height={height}, width={width}"
            )
        self.path = Path(path)
        self.fps = fps
        self.height = height
        self.width = width
        self.quality = quality
        self.preset = preset
        self.threads = threads
        self.key_every = key_every
        self.times = times
        self.sample_aspect = sample_aspect
        self.sound = sound
        self._pad = (height % 2, width % 2)
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._container = None
        self._reformatter = VideoReformatter()  # creating one per frame takes as long as converting

    def __enter__(self) -> VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(
            str(self._part), "w", format="mp4", options={"movflags": "+faststart"}
        )
        rate = Fraction(self.fps).limit_denominator(1001)
        try:
            self._stream = self._container.add_stream("libx264", rate=rate)
            # On processors with AVX-512, x264's macroblock tree makes the output vary between runs.
            options = {"crf": str(self.quality), "preset": self.preset, "x264-params": "mbtree=0"}
            if _uneven(self.times):
                options["bf"] = "0"  # MP4 takes a film's length from the order of decoding
            self._stream.options = options
        except (av.error.FFmpegError, ValueError):
            warnings.warn("No h264 encoder in this FFmpeg: writing mpeg4 instead.", stacklevel=2)
            self._stream = self._container.add_stream("mpeg4", rate=rate)
            self._stream.options = {"qscale": "3"}
        self._stream.height = self.height + self._pad[0]
        self._stream.width = self.width + self._pad[1]
        self._stream.pix_fmt = "yuv420p"
        aspect = Fraction(self.sample_aspect).limit_denominator(1000)
        if aspect != 1:
            self._stream.codec_context.sample_aspect_ratio = aspect
        if self.times is not None:
            self._stream.codec_context.time_base = Fraction(1, TICKS)
        if self.key_every is not None:
            self._stream.gop_size = self.key_every
        if self.threads is not None:
            self._stream.thread_count = self.threads
        self._count, self._tick = 0, -1
        return self

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, (height, width, 3) uint8 RGB."""
        if self._container is None:
            raise RuntimeError("`write` must be called inside `with VideoWriter(...)`.")
        if frame.shape != (self.height, self.width, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f"`frame` must be uint8 of shape ({self.height}, {self.width}, 3). Received: "
                f"{frame.dtype} of shape {frame.shape}"
            )
        if any(self._pad):
            frame = np.pad(frame, ((0, self._pad[0]), (0, self._pad[1]), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        # Convert and copy here: when the encoder converts, the last bits vary between runs.
        planes = self._reformatter.reformat(picture, format="yuv420p", threads=1).to_ndarray()
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        if self.times is not None:
            self._tick = max(self._tick + 1, round(self.times[self._count] * TICKS))
            picture.pts, picture.time_base = self._tick, Fraction(1, TICKS)
            picture.duration = round(TICKS / self.fps)
        self._count += 1
        self._container.mux(self._stream.encode(picture))

    def _add_sound(self) -> None:
        if self.sound is None:
            return
        try:
            add_sound(self._part, *self.sound)
        except (av.error.FFmpegError, ValueError) as error:
            warnings.warn(
                f"The sound of {self.sound[0]} cannot be read; {self.path} is silent: {error}",
                stacklevel=3,
            )

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None:
                self._add_sound()
                os.replace(self._part, self.path)
        finally:
            self._container = None
            self._part.unlink(missing_ok=True)


def _uneven(times: Sequence[float] | None) -> bool:
    """Whether some frame is shown for more than twice as long as the usual one."""
    steps = np.diff(times) if times is not None and len(times) > 1 else np.ones(1)
    return bool(steps.max() > 2 * np.median(steps))
