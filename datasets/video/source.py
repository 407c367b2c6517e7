"""The two places frames come from: a video file, read by OpenCV, and a folder of pictures.

Both count what can be decoded, never what a header promises, and hand out frames in the order
of decoding, so that frame i is the same picture however it is reached.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # faults become a VideoError, not a print

import cv2
import numpy as np

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
SEEK_GAP = 300  # a seek costs as much as decoding about so many frames
FOLDER_FPS = 25.0
AHEAD = 4  # frames that are decoded while those before them are resized

# The file that was opened last, with its first frame: most are read as soon as they are opened,
# and opening takes as long as some ten frames. By process: one forked from this may neither share
# its place in the file nor close it, as it would wait for decoding threads that it does not have.
_LAST_OPENED: dict[int, tuple[str, cv2.VideoCapture, np.ndarray]] = {}


class VideoError(ValueError):
    """A video that cannot be read as what it claims to be; the message names it."""


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture in `size` (height, width), bilinear.

    Even sides are halved by area first as long as they are twice too large; odd sides that are
    still twice too large go by area at once, which takes many times longer.
    """
    height, width = (int(side) for side in size)
    while True:
        rows, columns = picture.shape[:2]
        if rows < 2 * height or columns < 2 * width or rows % 2 or columns % 2:
            break
        half = (columns // 2, rows // 2)
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    if (rows, columns) == (height, width):
        return picture
    shrinks = height <= rows and width <= columns
    coarse = shrinks and (rows >= 2 * height or columns >= 2 * width)
    way = cv2.INTER_AREA if coarse else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=way)


def to_rgb(bgr: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """The picture in RGB, resized to `size` (height, width)."""
    return cv2.cvtColor(bgr if size is None else resize(bgr, size), cv2.COLOR_BGR2RGB)


def resized(
    frames: Generator[np.ndarray, None, None], size: tuple[int, int]
) -> Iterator[np.ndarray]:
    """`to_rgb` of every frame, in order; others are decoded while it is resized.

    What came before a fault is handed out before it.
    """
    waiting, last, fault = deque(), None, None
    with contextlib.closing(frames), ThreadPoolExecutor(2, "resize") as pool:
        try:
            for frame in frames:
                if frame is not last:
                    last, picture = frame, pool.submit(to_rgb, frame, size)
                waiting.append(picture)
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
        except VideoError as error:
            fault = error
        while waiting:
            yield waiting.popleft().result()
    if fault is not None:
        raise fault


class FileSource:
    """Frames of a video file."""

    def __init__(self, path: str):
        self.path = path
        capture = self._open()
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        if not (0 < self.fps < 10_000):
            self.fps = FOLDER_FPS
        self.promised = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        ok, first = capture.read()
        if not ok or first is None:
            raise VideoError(f"A video must hold at least one frame. Received: {path}")
        self.height, self.width = first.shape[:2]
        _LAST_OPENED[os.getpid()] = path, capture, first

    def _open(self) -> cv2.VideoCapture:
        if not os.path.isfile(self.path):
            raise VideoError(f"A video must exist. Received: {self.path}")
        if os.path.getsize(self.path) == 0:
            raise VideoError(f"A video file must not be empty. Received: {self.path} of 0 bytes")
        capture = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise VideoError(
                "A video file must open in OpenCV; it may be cut off, or in no format that FFmpeg "
                f"knows. Received: {self.path} of {os.path.getsize(self.path)} bytes"
            )
        return capture

    def scan(self) -> np.ndarray:
        """Time stamps, in seconds from the first, of all frames that decode."""
        capture, stamps = self._open(), []
        while capture.grab():
            stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        capture.release()
        return np.asarray(stamps)

    def walk(
        self,
        indices: Iterable[int],
        size: tuple[int, int] | None = None,
        stamps: np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the frames of non-decreasing `indices`; stop at the last frame there is.

        With the time stamps of a scan, large gaps are skipped by a seek, whose landing place is
        read off the stamp of the frame it found, and decoded on from there.
        """
        frames = self._decoded(indices, stamps)
        if size is not None and tuple(size) != (self.height, self.width):
            yield from resized(frames, size)
            return
        for frame in frames:
            yield to_rgb(frame, None)

    def _decoded(
        self, indices: Iterable[int], stamps: np.ndarray | None
    ) -> Generator[np.ndarray, None, None]:
        """The frames as OpenCV gives them, a repeated index as the same array."""
        path, capture, frame = _LAST_OPENED.pop(os.getpid(), (None, None, None))
        position = 0
        if path != self.path:
            capture, frame, position = self._open(), None, -1
        try:
            for index in indices:
                if index != position or frame is None:
                    if stamps is not None and index - position > SEEK_GAP:
                        capture, position = self._seek(capture, position, index, stamps)
                    while position < index:
                        if not capture.grab():
                            return
                        position += 1
                    ok, frame = capture.retrieve()
                    if not ok:
                        raise VideoError(
                            f"Every frame must decode. Received: {self.path}, frame {index}"
                        )
                yield frame
        finally:
            capture.release()

    def _seek(
        self, capture: cv2.VideoCapture, position: int, index: int, stamps: np.ndarray
    ) -> tuple[cv2.VideoCapture, int]:
        if np.any(np.diff(stamps) <= 0):  # packed B-frames: stamps tell nothing
            return capture, position
        capture.set(cv2.CAP_PROP_POS_FRAMES, round((stamps[index] - stamps[0]) * self.fps))
        if capture.grab():
            stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            landed = int(np.abs(stamps - stamp).argmin())
            if abs(stamps[landed] - stamp) < 1e-6 and landed <= index:
                return capture, landed
        capture.release()
        return self._open(), -1


class FolderSource:
    """Frames of a folder of pictures whose names end in their number."""

    def __init__(self, path: str, fps: float | None = None):
        self.path = path
        self.fps = float(fps or FOLDER_FPS)
        self.files = numbered_files(path, PICTURES)
        self.promised = len(self.files)
        if not self.files:
            raise VideoError(f"A folder of frames must hold pictures {PICTURES}. Received: {path}")
        self.height, self.width = self._picture(0).shape[:2]

    def _picture(self, index: int) -> np.ndarray:
        bgr = cv2.imread(str(self.files[index]), cv2.IMREAD_COLOR)
        if bgr is None:
            raise VideoError(f"Every frame must be a picture. Received: {self.files[index]}")
        return bgr

    def scan(self) -> np.ndarray:
        """Time stamps of the frames, in seconds."""
        return np.arange(len(self.files)) / self.fps

    def walk(
        self,
        indices: Iterable[int],
        size: tuple[int, int] | None = None,
        stamps: np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the frames of `indices`; stop at the last frame there is."""
        for index in indices:
            if index >= len(self.files):
                return
            bgr = self._picture(index)
            if bgr.shape[:2] != (self.height, self.width):
                raise VideoError(
                    "All frames of a folder must have one size. Received: "
                    f"{self.files[0].name} {self.height}x{self.width}, "
                    f"{self.files[index].name} {bgr.shape[0]}x{bgr.shape[1]} in {self.path}"
                )
            yield to_rgb(bgr, size)


def numbered_files(folder: str | Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder ordered by the last number in their names, which has no gap.

    A number may be given once only, and the steps between the numbers must be equal.
    """
    found: dict[int, Path] = {}
    for file in Path(folder).iterdir():
        if file.suffix.lower() not in suffixes or file.name.startswith("."):
            continue
        digits = re.findall(r"\d+", file.stem)
        if not digits:
            raise VideoError(f"Names of frames must end in a number. Received: {file}")
        number = int(digits[-1])
        if number in found:
            raise VideoError(
                f"Each frame number must be there once. Received: {found[number].name} and "
                f"{file.name} in {folder}"
            )
        found[number] = file
    numbers = sorted(found)
    if len(numbers) > 2:
        step = min(b - a for a, b in itertools.pairwise(numbers))
        wanted = range(numbers[0], numbers[-1] + 1, step)
        missing = sorted(set(wanted) - set(numbers))
        if missing or len(wanted) != len(numbers):
            raise VideoError(
                f"Frame numbers must follow each other without a gap. Received: {folder}, "
                f"{len(missing)} missing: {missing[:10]}"
            )
    return [found[number] for number in numbers]
