"""Writes small video files of many kinds, in which frame i shows the number i."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)
RATE = 25
LOSSLESS = {"libx264": {"qp": "0"}, "libx265": {"x265-params": "qp=4:log-level=none"}}
FINE = {"qscale": "2", "qmin": "1"}
OPTIONS = {
    **LOSSLESS,
    "libsvtav1": {"crf": "8", "preset": "12", "svtav1-params": "scm=0"},
    "libvpx-vp9": {"crf": "4", "b": "0", "cpu-used": "8", "deadline": "realtime"},
    "libvpx": {"crf": "4", "b": "2M", "cpu-used": "8", "deadline": "realtime"},
    "libwebp_anim": {"lossless": "1"},
}


def numbered(count: int, size: tuple[int, int] = SIZE) -> Iterable[np.ndarray]:
    """Frames (height, width, 3) uint8 that show their number as eight light or dark bars."""
    height, width = size
    for number in range(count):
        bits = [16 + 223 * (number >> bit & 1) for bit in range(8)]
        row = np.repeat(bits, width // 8)
        yield np.broadcast_to(row[None, :, None], (height, width, 3)).astype(np.uint8).copy()


def number_in(frame: np.ndarray) -> int:
    """The number shown in a frame of `numbered`."""
    height, width = frame.shape[:2]
    middles = frame[height // 4 : -height // 4].mean((0, 2)).reshape(8, width // 8)
    return sum((value > 127) << bit for bit, value in enumerate(middles.mean(1)))


def write_video(
    path: Path,
    codec: str = "libx264",
    *,
    count: int = 24,
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    stamps: Iterable[int] | None = None,
    unit: Fraction = Fraction(1, RATE),
    options: dict[str, str] | None = None,
    sound: float = 0.0,
    setup=None,
    frames: Iterable[np.ndarray] | None = None,
    metadata: dict[str, str] | None = None,
    **file: object,
) -> Path:
    """Write numbered frames at `stamps` (in `unit`), with `sound` seconds of silence.

    `setup` is called with the video stream before it is opened; `file` is for `av.open`.
    """
    stamps = range(count) if stamps is None else stamps
    frames = numbered(count, size) if frames is None else frames
    with av.open(str(path), "w", **file) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=RATE)
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = unit
        stream.codec_context.gop_size = 8
        stream.options = {**OPTIONS.get(codec, FINE), **(options or {})}
        if setup is not None:
            setup(stream)
        audio = container.add_stream("aac", rate=16000) if sound else None
        for stamp, rgb in zip(stamps, frames):
            picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            if pix_fmt != "pal8":
                picture = picture.reformat(format=pix_fmt)
            picture.pts, picture.time_base = stamp, unit
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
        if audio is not None:
            _silence(container, audio, sound)
    return path


def _silence(container, audio, seconds: float) -> None:
    layout = audio.codec_context.layout.name
    for at in range(0, int(seconds * 16000), 1024):
        piece = av.AudioFrame.from_ndarray(
            np.zeros((1 if layout == "mono" else 2, 1024), np.float32), "fltp", layout
        )
        piece.sample_rate, piece.pts, piece.time_base = 16000, at, Fraction(1, 16000)
        container.mux(audio.encode(piece))
    container.mux(audio.encode())
