"""Live frames: from a pipe (raw or encoded), a network stream or a camera."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from zoo.datasets.video.decoder import Decoder, Turner, rgb_picture
from zoo.datasets.video.errors import VideoError

# Pixel format: rows of data per picture row, channels, and the OpenCV conversion to RGB.
PIXEL_FORMATS = {
    "rgb24": (1.0, 3, None),
    "bgr24": (1.0, 3, cv2.COLOR_BGR2RGB),
    "gray": (1.0, 1, cv2.COLOR_GRAY2RGB),
    "yuv420p": (1.5, 1, cv2.COLOR_YUV2RGB_I420),
}
# Addresses of live streams. An http or https address is a file unless it has one of the endings.
LIVE_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "rtp://", "srt://", "tcp://", "udp://")
LIVE_ENDINGS = (".m3u8", ".mpd")


class StreamError(ValueError):
    """A stream stalled, broke off or changed its frame size; the message says at which frame."""


def raw_frames(
    file: BinaryIO, size: tuple[int, int], pixel_format: str = "rgb24"
) -> Iterator[np.ndarray]:
    """Read frames from raw bytes without a header; each is (height, width, 3) uint8 RGB.

    Args:
        file: binary file, read to its end.
        size: (height, width).
        pixel_format: "rgb24", "bgr24", "gray" or "yuv420p", as FFmpeg calls them.

    Example: `raw_frames(sys.stdin.buffer, (360, 640))`.
    """
    if pixel_format not in PIXEL_FORMATS:
        raise ValueError(
            f"`pixel_format` must be one of {tuple(PIXEL_FORMATS)}. Received: {pixel_format!r}"
        )
    height, width = size
    rows, channels, conversion = PIXEL_FORMATS[pixel_format]
    if min(size) < 1 or (rows != 1 and (height % 2 or width % 2)):
        raise ValueError(
            f"`size` must be positive, and even for yuv420p. Received: size={size}, {pixel_format}"
        )
    shape = (int(height * rows), width) + ((channels,) if channels > 1 else ())
    return _raw_frames(file, shape, conversion)


def _raw_frames(file: BinaryIO, shape: tuple, conversion: int | None) -> Iterator[np.ndarray]:
    length = int(np.prod(shape))
    count = 0
    while True:
        found = _read(file, length)
        if not found:
            if count == 0:
                raise StreamError(
                    "A stream must have at least one frame. Received: 0 bytes on standard input"
                )
            return
        if len(found) < length:
            raise StreamError(
                "A stream of raw frames must end with a complete frame; check the size and the "
                f"pixel format. Received: {len(found)} of {length} bytes of frame {count}"
            )
        picture = np.frombuffer(found, np.uint8).reshape(shape)
        yield cv2.cvtColor(picture, conversion) if conversion is not None else picture
        count += 1


def _read(file, length) -> bytes:
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


class LiveFrame(NamedTuple):
    """A frame of a stream with timestamps.

    Attributes:
        picture: (height, width, 3) uint8 RGB.
        seconds: presentation time by the stream's clock; None if the stream gives none.
        damage: descriptions of the damage in this frame or just before it; empty if none.
    """

    picture: np.ndarray
    seconds: float | None
    damage: tuple[str, ...] = ()


def encoded_frames(file: BinaryIO | str, **options: Any) -> Iterator[LiveFrame]:
    """Decode a stream (MPEG-TS, Matroska, fragmented mp4, ...) into upright RGB frames.

    A damaged packet is skipped and reported in `LiveFrame.damage`.

    Args:
        file: binary file, or the address of a stream.
        options: passed to `av.open`.

    Example: `encoded_frames(sys.stdin.buffer)`.
    """
    count, told = 0, 0
    try:
        # Single-threaded: decoding in n threads delays the output by n frames.
        if str(file).startswith("rtsp"):  # the default, UDP, loses packets
            options = {"options": {"rtsp_transport": "tcp"}, **options}
        decoder = Decoder(file, single=True, **options)
    except (VideoError, av.error.FFmpegError, OSError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StreamError(
            f"A stream must be a video that FFmpeg can read. Received: {why} at frame 0"
        ) from error
    reformatter, turner, size = VideoReformatter(), None, None
    try:
        for frame in decoder.frames():
            turner = turner or Turner(frame)
            found = turner.shape(frame.height, frame.width)
            if size not in (None, found):
                raise StreamError(
                    "The frames of a stream must all have the same size. Received: "
                    f"{size[0]}x{size[1]} (height x width) up to frame {count - 1}, "
                    f"{found[0]}x{found[1]} at frame {count}"
                )
            size = found
            picture = np.ascontiguousarray(turner(rgb_picture(frame, reformatter)))
            damage = tuple(what for _, _, what in decoder.faults[told:])
            told = len(decoder.faults)
            seconds = None if frame.pts is None else float(frame.pts * decoder.stream.time_base)
            yield LiveFrame(picture, seconds, damage)
            count += 1
        if decoder.broken or not count:
            why = decoder.broken or "no frame"
            raise StreamError(
                "A stream must be a video that FFmpeg can read to the end. Received: "
                f"{why} at frame {count}"
            )
    finally:
        decoder.close()


def _camera(index: int) -> tuple[str, str]:
    """A camera's name for FFmpeg, and FFmpeg's input format for cameras on this system."""
    if sys.platform == "darwin":
        return str(index), "avfoundation"
    if sys.platform != "win32":
        return f"/dev/video{index}", "v4l2"
    found = [d for d in av.enumerate_input_devices("dshow") if "video" in d.media_types]
    if index >= len(found):
        raise StreamError(f"{len(found)} cameras found")
    return f"video={found[index].name}", "dshow"


def camera_frames(index: int) -> Iterator[LiveFrame]:
    """Read RGB frames from a camera until it stops delivering them.

    Example: `camera_frames(0)`.
    """
    try:
        name, form = _camera(index)
        yield from encoded_frames(name, format=form)
    except StreamError as error:
        raise StreamError(
            f"A camera must deliver frames. Received: device {index}: {error}"
        ) from error


def arriving(
    frames: Iterator[np.ndarray | LiveFrame], *, stall: float = 10.0, ahead: int = 4
) -> Iterator[tuple[float, np.ndarray | LiveFrame]]:
    """Read frames in a thread and yield (arrival time, frame); raise an error if they stall.

    Args:
        frames: the source.
        stall: seconds without a frame after which the stream counts as stalled.
        ahead: maximum number of frames read ahead. If the model is too slow, the source waits.
    """
    if not 0 < stall <= threading.TIMEOUT_MAX:
        raise ValueError(f"`stall` must be a positive number of seconds. Received: stall={stall}")
    items: queue.Queue = queue.Queue(maxsize=ahead)
    stop = threading.Event()

    def put(item):
        while not stop.is_set():
            try:
                return items.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read():
        try:
            for frame in frames:
                if isinstance(frame, np.ndarray):
                    frame = frame.copy()  # a source may write its next frame into the same array
                put((time.perf_counter(), frame))
                if stop.is_set():
                    return
            put(None)
        except StreamError as error:
            put(error)
        except Exception as error:  # what was predicted before is kept
            text = f"A source of frames must not fail. Received: {type(error).__name__}: {error}"
            found = StreamError(text)
            found.__cause__ = error
            put(found)
        except BaseException as error:  # passed to the consumer, which raises it
            put(error)

    # A hanging read cannot be interrupted: the daemon thread ends with the program.
    threading.Thread(target=read, name="arrive", daemon=True).start()
    count = 0
    try:
        while True:
            try:
                item = items.get(timeout=stall)
            except queue.Empty:
                raise StreamError(
                    f"A stream must not stall. Received: no frame for {stall:g} s after "
                    f"{count} frames"
                ) from None
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
            count += 1
    finally:
        stop.set()


def open_live(
    source: str | int, size: tuple[int, int] | None = None, pixel_format: str = "rgb24"
) -> Iterator[np.ndarray | LiveFrame]:
    """Open a live source and return its frames.

    Args:
        source: "-" for standard input (raw if `size` is given, else encoded), an address such as
            rtsp://..., or the number of a camera.
        size, pixel_format: (height, width) and pixel format of raw frames.
    """
    if size is None and pixel_format != "rgb24":
        raise ValueError(
            "`pixel_format` is for raw frames, whose size must be given by `raw_size`. "
            f"Received: pixel_format={pixel_format!r} without it"
        )
    if size is not None and source != "-":
        raise ValueError(
            "`raw_size` is for raw frames on standard input. "
            f"Received: raw_size={tuple(size)} for {source!r}"
        )
    if source == "-":
        file = os.fdopen(os.dup(0), "rb")
        return raw_frames(file, size, pixel_format) if size is not None else encoded_frames(file)
    if isinstance(source, str) and "://" in source:
        return encoded_frames(source)
    if isinstance(source, str) and not source.isdecimal():
        raise ValueError(
            'A live source must be "-" (standard input), a camera\'s index, or an address such as '
            f"rtsp://...; for a file, use zoo.predict. Received: {source!r}"
        )
    return camera_frames(int(source))


def is_live(source: str | int) -> bool:
    """Whether a source is standard input, a camera or the address of a live stream."""
    if isinstance(source, int):
        return True
    if source == "-":
        return True
    if "://" in source:
        path = source.partition("?")[0].lower()
        return path.startswith(LIVE_SCHEMES) or path.endswith(LIVE_ENDINGS)
    return source.isdigit() and not os.path.exists(source)
