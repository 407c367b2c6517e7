"""Resizing pictures, and converting frames to pictures while further frames are decoded."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

AHEAD = 4  # number of frames to decode ahead of their conversion
# Number of pixels up to which a frame is converted at once: passing it to a thread takes longer.
SMALL = 320 * 240


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture to `size` (height, width).

    While both sides are even and at least twice too large, the picture is halved by averaging
    areas. The rest is bilinear; if a side is still twice too large, areas are averaged in one
    step, which takes many times longer.
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


def in_order(
    frames: Generator[Any, None, None], picture: Callable[[Any], np.ndarray], pixels: int
) -> Iterator[np.ndarray]:
    """Convert frames by `picture`, in order; large ones while further frames are decoded.

    A repeated frame is converted only once. If decoding fails, the frames before the failure are
    still yielded before the error is raised.

    Args:
        frames: The decoded frames; they are closed at the end.
        picture: Converts a frame to an array.
        pixels: Number of pixels of a frame.
    """
    convert = _at_once if pixels <= SMALL else _meanwhile
    with contextlib.closing(frames):
        yield from convert(frames, picture)


def _at_once(frames: Iterator[Any], picture: Callable[[Any], np.ndarray]) -> Iterator[np.ndarray]:
    last = made = None
    for frame in frames:
        if frame is not last:
            last, made = frame, picture(frame)
        yield made


def _meanwhile(frames: Iterator[Any], picture: Callable[[Any], np.ndarray]) -> Iterator[np.ndarray]:
    waiting, last, fault = deque(), None, None
    with ThreadPoolExecutor(2, "picture") as pool:
        try:
            for frame in frames:
                if frame is not last:
                    last, made = frame, pool.submit(picture, frame)
                waiting.append(made)
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
        except Exception as error:  # raised after the frames before it, as by `_at_once`
            fault = error
        while waiting:
            yield waiting.popleft().result()
    if fault is not None:
        raise fault
