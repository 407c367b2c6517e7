"""A picture file, read whole or refused."""

from __future__ import annotations

import os

import cv2
import numpy as np

from zoo.datasets.video.errors import VideoError

JPEG = b"\xff\xd8"
END, SCAN = b"\xff\xd9", b"\xff\xda"


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """The picture, (height, width, 3) uint8 BGR; a `VideoError` names one that is damaged."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == JPEG and not _jpeg_ends(data):
        raise VideoError(
            f"A picture must be whole. Received: {path}, a JPEG that is cut off after "
            f"{len(data)} bytes"
        )
    fault = ""
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:  # a header with a size that no memory holds
        bgr, fault = None, f": {error.err}"
    if bgr is None:
        raise VideoError(
            f"A picture must be whole and of a known format. Received: "
            f"{path} of {len(data)} bytes{fault}"
        )
    return bgr


def _jpeg_ends(data: bytes) -> bool:
    """Whether the mark of the end stands after the picture's data.

    A picture made small in the file's head has a mark of its own, which is stepped over.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at : at + 2] != SCAN:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(END, at) >= 0
