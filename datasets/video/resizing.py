"""Pictures in another size, and frames made into pictures while others are decoded."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np

from zoo.datasets.video.errors import VideoError

AHEAD = 4  # frames that are decoded while those before them are made into pictures


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


def in_order(
    frames: Generator[Any, None, None], picture: Callable[[Any], np.ndarray]
) -> Iterator[np.ndarray]:
    """`picture` of every frame, in order; others are decoded while it is made.

    A repeated frame is made into a picture once. What came before a fault is handed out before
    it.
    """
    waiting, last, fault = deque(), None, None
    with contextlib.closing(frames), ThreadPoolExecutor(2, "picture") as pool:
        try:
            for frame in frames:
                if frame is not last:
                    last, made = frame, pool.submit(picture, frame)
                waiting.append(made)
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
        except VideoError as error:
            fault = error
        while waiting:
            yield waiting.popleft().result()
    if fault is not None:
        raise fault
