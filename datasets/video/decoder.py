"""Decoding one video stream with FFmpeg, and finding out what is damaged in it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from zoo.datasets.video.errors import VideoError

THREADS = 4  # more threads are faster for single videos, but slower for many at a time
READ_FAULTS = 16  # consecutive read errors after which a file is given up


class Decoder:
    """Decodes one video stream packet by packet; a damaged packet does not affect the others.

    Frames come in display order. Interlaced frames are not deinterlaced, and an alpha channel is
    dropped.

    Args:
        source: A file's path or a file object open for reading.
        single: Decode in one thread. This is slower, but the result of damaged packets is then
            reproducible, and every fault is noticed.
        options: Options of `av.open`.

    Attributes:
        faults: For each damaged place (number of frames before it, time stamp or None, text).
        stamps: Time stamps of the packets that should give one frame each.
        given: Number of frames that they gave.
        broken: Why reading was given up before the end, or None.
        lost: Whether the last seek has not (yet) found a frame.
    """

    def __init__(self, source: Any, *, single: bool = False, **options: Any):
        self.container = av.open(source, "r", metadata_errors="replace", **options)
        self.faults: list[tuple[int, int | None, str]] = []
        self.given = 0
        self.lost, self.broken = False, None
        self.stamps: list[int | None] = []
        try:
            self.stream = _video_stream(self.container, source)
        except VideoError:
            self.container.close()
            raise
        context = self.stream.codec_context
        context.options = {"err_detect": "crccheck+bitstream+buffer"}
        context.thread_count = 1 if single else min(THREADS, os.cpu_count() or 1)
        context.thread_type = "SLICE" if single else "AUTO"

    def frames(self) -> Iterator[av.VideoFrame]:
        """The frames from the current position to the end."""
        broken = 0
        while True:
            try:
                for packet in self.container.demux(self.stream):
                    yield from self._decode(packet)
                    broken = 0
                return
            except av.error.FFmpegError as error:  # a read error; `_decode` notes decoding errors
                self._note(None, f"unreadable place: {error.strerror}")
                broken, why = broken + 1, error.strerror
            if broken > READ_FAULTS:
                self.broken = why
                with contextlib.suppress(av.error.FFmpegError):
                    yield from self.stream.codec_context.decode(None)
                return

    def key_before(self, ticks: int) -> int | None:
        """The last time stamp up to `ticks` in the file's own index at which decoding can start."""
        entries = self.stream.index_entries
        at = entries.search_timestamp(ticks) if len(entries) else -1
        return entries[at].timestamp if at >= 0 else None

    def seek(self, ticks: int) -> Iterator[av.VideoFrame]:
        """The frames from the last key packet at or before `ticks`.

        The first frame is that of the key packet. There are none if seeking is impossible.
        """
        self.lost = True
        try:
            self.container.seek(ticks, stream=self.stream)
        except av.error.FFmpegError:
            return
        first = None
        try:
            for packet in self.container.demux(self.stream):
                if first is None and packet.is_keyframe and packet.pts is not None:
                    first = packet.pts
                if first is not None:
                    for frame in self._decode(packet):
                        if frame.pts is not None and frame.pts >= first:
                            yield frame
        except av.error.FFmpegError as error:
            self._note(None, f"unreadable place: {error.strerror}")

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def _decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        stamp = packet.pts
        if packet.is_corrupt:
            self._note(packet.dts if stamp is None else stamp, "damaged packet")
        if packet.size and not packet.is_discard:
            self.stamps.append(stamp)
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            if not packet.is_corrupt:
                what = f"damaged packet: {error.strerror}"
                self._note(packet.dts if stamp is None else stamp, what)
            return []
        for frame in frames:
            if frame.is_corrupt and not (self.faults and self.faults[-1][1] == frame.pts):
                self._note(frame.pts, "damaged picture")
            self.given += 1
        return frames

    def _note(self, stamp: int | None, what: str) -> None:
        self.faults.append((self.given, stamp, what))


def _video_stream(container: Any, source: Any) -> Any:
    """The video stream; the cover picture of a music file does not count."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream"
        raise VideoError(f"A video file must have a video stream. Received: {source} with {held}")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise VideoError(
            "A video's codec must be supported by the FFmpeg in PyAV; convert the file. "
            f"Received: {source} with {_codec_of(container, stream)}"
        )
    return stream


def _codec_of(container: Any, stream: Any) -> str:
    """FFmpeg's name or four-character code of the codec of a stream that it cannot decode."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        lines = container.dumps_format().splitlines()
    finally:
        av.logging.set_level(level)
    found = [line.strip() for line in lines if f"Stream #0:{stream.index}" in line]
    return found[0].split(",")[0] if found else "a codec without a name"


class Turner:
    """Applies the rotation and mirroring that a file asks for.

    Args:
        frame: A frame of the stream; its display matrix applies to all frames.
    """

    def __init__(self, frame: av.VideoFrame):
        self.transposed = self.left_right = self.up_down = False
        a, b, c, d = _display_matrix(frame)
        # Pixel (x, y) is displayed at (a x + c y, b x + d y).
        self.transposed = abs(b) > abs(a)
        if self.transposed:
            self.left_right, self.up_down = c < 0, b < 0
        else:
            self.left_right, self.up_down = a < 0, d < 0

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """The rotated and mirrored picture, (height, width, 3)."""
        if self.transposed:
            picture = cv2.transpose(picture)
        if self.left_right or self.up_down:
            way = -1 if self.left_right and self.up_down else int(self.left_right)
            picture = cv2.flip(picture, way)
        return picture

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) of a rotated picture."""
        return (width, height) if self.transposed else (height, width)

    def aspect(self, aspect: Fraction | None) -> Fraction:
        """Width of a pixel divided by its height in the rotated picture."""
        aspect = aspect or Fraction(1)
        return 1 / aspect if self.transposed else aspect


def _display_matrix(frame: av.VideoFrame) -> tuple[float, float, float, float]:
    """The part of a frame's display matrix that turns and mirrors: a, b, c, d."""
    try:
        held = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV cannot list side data of a kind that it does not know, such as the EXIF data of
        # photographs or the views of stereo videos. The rotation is available by itself, but
        # not whether the picture is mirrored.
        angle = math.radians(frame.rotation)
        return math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)
    if held is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(held), np.int32)[:5].tolist()
    return a, b, c, d


def rgb_picture(frame: av.VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    """Convert a frame to (height, width, 3) uint8 RGB.

    The colour matrix (BT.601, BT.709, ...) and range are those that the frame is tagged with, or
    else BT.601 and limited range, FFmpeg's defaults. One reformatter serves all frames of a
    thread, because creating it takes as long as converting about ten small frames.
    """
    try:
        rgb = reformatter.reformat(frame, format="rgb24", threads=1)
    except av.error.FFmpegError:  # tagged with an invalid matrix, such as a reserved one
        rgb = reformatter.reformat(frame, format="rgb24", src_colorspace="ITU601", threads=1)
    plane = rgb.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(rgb.height, plane.line_size)
    return rows[:, : 3 * rgb.width].reshape(rgb.height, rgb.width, 3)
