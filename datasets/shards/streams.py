"""What `zoo prepare` stores of a video's frames: pictures, optical flow, or a stream of your own.

A stream is any object with these members (another one is `zoo.training.prepare.FeatureStream`):

    name                 its name in the shards
    size                 (height, width) of the frames that it takes, None for the video's own
    describe()           everything that its rows depend on, as JSON, with `shape` and `dtype` of a
                         row, and `hop`, the number of frames from the start of one row to the next
    rows(frames, total)  yields the rows as bytes, given an iterator of the frames
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from zoo.datasets.shards.format import FLOW, RGB
from zoo.datasets.video.flow import dis_flow, video_flow

JPEG = "jpeg"


def jpeg_options(quality: int) -> tuple[int, ...]:
    """OpenCV's options for writing the pictures."""
    full = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return (cv2.IMWRITE_JPEG_QUALITY, quality, *full)


def _check_size(size: tuple[int, int] | None) -> None:
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f"`size` must be a height and a width. Received: size={size}")


@dataclass(frozen=True)
class FrameStream:
    """The frames as JPEG pictures, with colour at full resolution, which small frames need.

    Args:
        size: (height, width) of the pictures; None keeps the video's.
        quality: JPEG quality, 1 to 100.
        name: Name of the stream.

    Raises:
        ValueError: An argument is out of range.

    Example: `prepare(records, "shards", [FrameStream((112, 112))])`
    """

    size: tuple[int, int] | None = (112, 112)
    quality: int = 95
    name: str = RGB

    def __post_init__(self) -> None:
        _check_size(self.size)
        if not 1 <= self.quality <= 100:
            raise ValueError(f"`quality` must be in [1, 100]. Received: quality={self.quality}")

    def describe(self) -> dict[str, Any]:
        shape = None if self.size is None else [*self.size, 3]
        about = {"dtype": JPEG, "shape": shape, "quality": self.quality, "chroma": "4:4:4"}
        return {**about, "hop": 1}

    def rows(self, frames: Iterable[np.ndarray], total: int) -> Iterator[bytes]:
        for frame in frames:
            bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
            ok, data = cv2.imencode(".jpg", bgr, jpeg_options(self.quality))
            if not ok:
                raise ValueError(
                    f"A frame must be of a size that JPEG supports. Received: shape={frame.shape}"
                )
            yield data.tobytes()


@dataclass(frozen=True)
class FlowStream:
    """Optical flow from the previous frame, float16 in pixels of `size`; zero for frame 0.

    Args:
        size: (height, width) at which the flow is computed and stored.
        method: "dis:ultrafast", "dis:fast" or "dis:medium" (OpenCV's DIS), or, with `make`, the
            name of another method, such as "tvl1".
        name: Name of the stream.
        make: Creates the flow function of another method, such as `zoo.layers.tvl1_function` for
            "tvl1", which is slow without a GPU.

    Raises:
        ValueError: An argument is out of range, or another method lacks `make`.

    Example: `prepare(records, "shards", [FlowStream((112, 112), method="dis:medium")])`
    """

    size: tuple[int, int] = (112, 112)
    method: str = "dis:fast"
    name: str = FLOW
    make: Callable[[], Callable[..., np.ndarray]] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _check_size(self.size)
        if self.make is None:
            kind, _, preset = self.method.partition(":")
            if kind != "dis":
                raise ValueError(
                    '`method` must be "dis:PRESET", or `make` must be given. '
                    f"Received: method={self.method!r}"
                )
            dis_flow(preset)

    def describe(self) -> dict[str, Any]:
        shape = [*self.size, 2]
        return {"dtype": "float16", "shape": shape, "method": self.method, "hop": 1}

    def rows(self, frames: Iterable[np.ndarray], total: int) -> Iterator[bytes]:
        if self.make is not None:
            method = self.make()
        else:
            method = dis_flow(self.method.partition(":")[2])
        yield np.zeros((*self.size, 2), np.float16).tobytes()
        for vectors in video_flow(frames, method=method, size=self.size, output_size=None):
            yield vectors.astype(np.float16).tobytes()
