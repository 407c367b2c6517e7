"""Reading a picture file, with an error if it is incomplete."""

from __future__ import annotations

import os

import cv2
import numpy as np

from zoo.datasets.video.errors import VideoError

JPEG = b"\xff\xd8"
END, SCAN = b"\xff\xd9", b"\xff\xda"


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a picture, (height, width, 3) uint8 BGR.

    Raises:
        VideoError: The picture is damaged or of an unknown format.
    """
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == JPEG and not _jpeg_ends(data):
        raise VideoError(
            f"A picture must be complete. Received: {path}, a JPEG that is cut off after "
            f"{len(data)} bytes"
        )
    fault = ""
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:  # for example, a header with an impossibly large size
        bgr, fault = None, f": {error.err}"
    if bgr is None:
        raise VideoError(
            f"A picture must be complete and in a known format. Received: "
            f"{path} of {len(data)} bytes{fault}"
        )
    return bgr


def pictures_in(path: str | os.PathLike) -> int:
    """The number of pictures in a file: frames of an animation, or pages."""
    return cv2.imcount(os.fspath(path))


def _jpeg_ends(data: bytes) -> bool:
    """Whether the end marker follows the picture's data.

    The header segments are skipped, because a thumbnail in them has an end marker of its own.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at : at + 2] != SCAN:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data.find(END, at) >= 0
